/* Before the first paint: the colours that somebody chose on this device, else the system's. */
"use strict";
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage can be switched off; then the system's colours hold.
}
