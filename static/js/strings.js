/** The page's translated texts, from the JSON block that the template wrote. */

/** @type {Record<string, string> | null} */
let catalogue = null;

/**
 * @param {string} key
 * @param {Record<string, string | number>} [values] for the `{name}` places in the text
 * @returns {string} the text; the key itself where the template forgot it
 */
export function text(key, values = {}) {
  catalogue ??= JSON.parse(document.getElementById("strings")?.textContent ?? "{}");
  const pattern = catalogue[key] ?? key;
  return pattern.replace(/\{(\w+)\}/g, (whole, name) => String(values[name] ?? whole));
}
