/* Before the first paint: the colours that somebody chose on this device, else the system's; and, on
   the login page, whether the token was wrong. */
"use strict";
try {
  const chosen = localStorage.getItem("theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch {
  // Storage can be switched off; then the system's colours hold.
}
if (new URLSearchParams(location.search).has("wrong")) document.documentElement.dataset.wrong = "";
