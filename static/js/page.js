/** What every page needs: accent colours, missing portraits, times, confirmation of what cannot be undone. */

/** @param {string} hex #rrggbb @returns {number} relative luminance (WCAG 2.2) */
function luminance(hex) {
  const channel = (start) => {
    const value = parseInt(hex.slice(start, start + 2), 16) / 255;
    return value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4;
  };
  return 0.2126 * channel(1) + 0.7152 * channel(3) + 0.0722 * channel(5);
}

/** @param {string} a @param {string} b @returns {number} contrast ratio (WCAG 2.2) */
function contrast(a, b) {
  const [low, high] = [luminance(a), luminance(b)].sort((x, y) => x - y);
  return (high + 0.05) / (low + 0.05);
}

/** An accent is data, and inline styles are forbidden: it is set here, with an ink that can be read on it. */
function applyAccents() {
  for (const element of document.querySelectorAll("[data-accent]")) {
    const accent = element.dataset.accent;
    if (!/^#[0-9a-f]{6}$/i.test(accent)) continue;
    element.style.setProperty("--accent", accent);
    const [light, dark] = ["#ffffff", "#1d1713"];
    const readable = contrast(accent, light) >= Math.min(4.5, contrast(accent, dark)) ? light : dark;
    element.style.setProperty("--on-accent", readable);
  }
}

/** A portrait that cannot be loaded leaves the initial that stands behind it. */
function hideMissingPortraits() {
  for (const image of document.querySelectorAll("img[data-portrait]")) {
    const hide = () => (image.hidden = true);
    if (image.complete && image.naturalWidth === 0) hide();
    image.addEventListener("error", hide);
  }
}

/** Lengths, in seconds, and moments, in the visitor's own time zone. */
function writeTimes() {
  for (const element of document.querySelectorAll("[data-seconds]")) {
    const seconds = Math.floor(Number(element.dataset.seconds));
    element.textContent = `${Math.floor(seconds / 60)}:${String(seconds % 60).padStart(2, "0")}`;
  }
  const format = new Intl.DateTimeFormat(document.documentElement.lang, { dateStyle: "medium", timeStyle: "short" });
  for (const element of document.querySelectorAll("time[data-moment]")) {
    element.textContent = format.format(new Date(element.dateTime));
  }
}

/** A form with data-confirm="ID" opens the dialog of that id first. */
function askBeforeSubmitting() {
  for (const form of document.querySelectorAll("form[data-confirm]")) {
    const dialog = document.getElementById(form.dataset.confirm);
    form.addEventListener("submit", (event) => {
      if (dialog.returnValue === "yes") return;
      event.preventDefault();
      dialog.showModal();
    });
    dialog.addEventListener("close", () => {
      if (dialog.returnValue === "yes") form.submit();
    });
  }
}

applyAccents();
hideMissingPortraits();
writeTimes();
askBeforeSubmitting();
