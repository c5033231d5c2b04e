"use strict";
document.addEventListener("keydown", (e) => {
  if (e.ctrlKey || e.metaKey || e.altKey) return;
  const rel = { j: "next", k: "prev", u: "up" }[e.key];
  const link = rel && document.querySelector(`a[rel=${rel}]`);
  if (link) location.href = link.href;
});
const opened = location.hash && document.getElementById(decodeURIComponent(location.hash.slice(1)));
if (opened) for (const d of opened.querySelectorAll("details")) d.open = true;
