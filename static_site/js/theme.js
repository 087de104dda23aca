// Before anything is painted: the colours that were chosen on this page, if any were.
(() => {
  let theme = "";
  try {
    theme = localStorage.getItem("aisle-theme") ?? "";
  } catch {
    // Storage may be switched off; the system's colours are right then.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
