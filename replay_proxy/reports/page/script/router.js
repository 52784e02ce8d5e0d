// Addresses, search, keys. A view draws itself, and may return `choose(rest)`, for what is chosen in it without drawing it
// anew, and `renew(what)`, for data that changed (`calls`, `resources`) while it is shown.

let views = { summary: ["Summary", summaryView], resources: ["Resources", resourcesView], calls: ["Calls", callsView], timeline: ["Timeline", timelineView], graph: ["Graph", graphView], restore: ["Restore", restoreView], doctor: ["Doctor", (main) => doctorView(main)] };
const main = document.getElementById("main"), box = document.getElementById("search"), nav = document.getElementById("nav");
const go = (to) => { location.hash = to.slice(1); };
let shown = { view: "", key: "", choose: null, renew: null };

function parts() {
  try { return location.hash.slice(2).split("/").map(decodeURIComponent); } catch { return [""]; }
}

function bringCurrent() {
  const current = nav.querySelector("[aria-current]");
  if (current) nav.scrollLeft = current.offsetLeft + current.offsetWidth - nav.clientWidth;
}

function route() {
  let [view, ...rest] = parts();
  if (view !== "search" && !nav.querySelector('[data-view="' + CSS.escape(view) + '"]')) view = Object.keys(views)[0];
  for (const each of nav.children) { if (each.dataset.view === view) each.setAttribute("aria-current", "page"); else each.removeAttribute("aria-current"); }
  if (view !== "search" && document.activeElement !== box) box.value = "";
  bringCurrent();
  // What is chosen in a list does not draw the list anew.
  const chooses = view === "resources" || view === "calls" || view === "restore" || view === "doctor";
  const chosen = /^\d*$/.test(rest[0] || "");
  const key = view + "/" + (chooses && chosen ? "" : rest.join("/"));
  if (!(chooses && chosen && shown.view === view && shown.choose)) {
    if (key !== shown.key || !chooses) shown = { view, key, ...(view === "search" ? searchView(main, rest) : views[view][1](main, rest)) };
  }
  if (shown.choose) shown.choose(rest);
  document.title = (view === "search" ? "Search" : views[view][0]) + " - " + document.querySelector("h1").textContent;
}

// Draw a view anew where it is: what is scrolled stays so, and what has the focus keeps it. Not more often than it takes.
const places = ["", ".page", ".canvas", ".scroll"];
let restedUntil = 0;
function redraw(draw) {
  const begun = performance.now();
  if (begun < restedUntil) return false;
  const at = places.map((each) => { const found = each ? main.querySelector(each) : main; return found ? [found.scrollLeft, found.scrollTop] : [0, 0]; });
  const focus = main.contains(document.activeElement) ? document.activeElement.getAttribute("href") : null;
  draw();
  places.forEach((each, index) => { const found = each ? main.querySelector(each) : main; if (found) [found.scrollLeft, found.scrollTop] = at[index]; });
  if (focus) { const found = main.querySelector('[href="' + CSS.escape(focus) + '"]'); if (found) found.focus({ preventScroll: true }); }
  restedUntil = performance.now() + 8 * (performance.now() - begun);
  return true;
}

function searched() {
  const query = box.value.trim();
  if (query) {
    const to = address("search", query);
    if (parts()[0] === "search") history.replaceState(null, "", to); else history.pushState(null, "", to);
    route();
  } else if (parts()[0] === "search") go(address(Object.keys(views)[0]));
}

function keys(event) {
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  const typing = event.target.matches("input, select, textarea");
  const list = document.querySelector(".list");
  if (event.key === "/" && !typing) { box.focus(); box.select(); event.preventDefault(); }
  else if (event.key === "Escape" && event.target !== box && list) list.focus();
  else if ((event.key === "ArrowDown" || event.key === "Enter") && event.target === box && list) { list.focus(); event.preventDefault(); }
  else if (/^[1-9]$/.test(event.key) && !typing && nav.children[event.key - 1]) nav.children[event.key - 1].click();
}

function listen() {
  document.getElementById("searchform").addEventListener("submit", (event) => event.preventDefault());
  let waiting = 0;
  box.addEventListener("input", () => { clearTimeout(waiting); waiting = setTimeout(searched, store.calls.length > 5000 ? 80 : 0); });
  addEventListener("hashchange", () => { route(); });
  addEventListener("keydown", keys);
  addEventListener("resize", () => { bringCurrent(); if (shown.view === "timeline") requestAnimationFrame(route); });
}
