/**
 * Light or dark. A classic script in the head, so that a chosen theme is there before the first picture; without a
 * choice the system decides.
 */
(() => {
  const root = document.documentElement;
  const KEY = "troupe.theme";

  const stored = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null; // storage may be forbidden
    }
  };

  const isDark = () =>
    (root.dataset.theme ?? (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";

  const choice = stored();
  if (choice === "light" || choice === "dark") root.dataset.theme = choice;

  addEventListener("DOMContentLoaded", () => {
    const button = document.getElementById("theme");
    if (!button) return;
    const show = () => button.setAttribute("aria-pressed", String(isDark()));
    show();
    button.addEventListener("click", () => {
      root.dataset.theme = isDark() ? "light" : "dark";
      try {
        localStorage.setItem(KEY, root.dataset.theme);
      } catch {
        // the choice lasts for this page
      }
      show();
      dispatchEvent(new Event("themechange"));
    });
  });
})();
