// Apply the chosen colours before the page is painted.
(() => {
  let theme = "";
  try {
    theme = localStorage.getItem("aisle-theme") ?? "";
  } catch {
    // Storage may be disabled; then use the system's colours.
  }
  if (theme === "light" || theme === "dark") document.documentElement.dataset.theme = theme;
})();
