// A list of any length: only the rows that are in sight are elements. By keyboard: arrows, page keys, Home, End, Enter.

const ROW = 28;

// options: label; role (`listbox` or `tree`); rows; draw(row) -> {class, cells, level, expanded}; open(row); fold(row, open).
function virtualList(options) {
  let rows = options.rows, active = -1, first = -1, last = -1;
  const tree = options.role === "tree";
  const id = "list" + (virtualList.count = (virtualList.count || 0) + 1);
  const space = el("div", { class: "space", role: "presentation" });
  const box = el("div", { class: "list", tabindex: 0, role: options.role || "listbox", "aria-label": options.label, onscroll: () => draw(false), onkeydown: key }, space);

  function draw(anew) {
    const from = Math.max(0, Math.floor(box.scrollTop / ROW) - 8);
    const to = Math.min(rows.length, Math.ceil((box.scrollTop + (box.clientHeight || 800)) / ROW) + 8);
    if (!anew && from === first && to === last) return;
    [first, last] = [from, to];
    space.style.height = rows.length * ROW + "px";
    const shown = [];
    for (let at = from; at < to; at++) {
      const drawn = options.draw(rows[at]);
      const row = el("div", {
        class: "row " + (drawn.class || "") + (at === active ? " active" : ""), id: id + "-" + at, role: tree ? "treeitem" : "option",
        "aria-selected": at === active ? "true" : "false", "aria-level": tree ? drawn.level : null, "aria-expanded": drawn.expanded === undefined ? null : String(drawn.expanded),
        "aria-setsize": rows.length, "aria-posinset": at + 1, onclick: () => choose(at, true),
      }, drawn.cells);
      row.style.top = at * ROW + "px";
      if (tree) row.style.paddingLeft = 12 + (drawn.level - 1) * 16 + "px";
      shown.push(row);
    }
    space.replaceChildren(...shown);
    if (active >= from && active < to) box.setAttribute("aria-activedescendant", id + "-" + active);
    else box.removeAttribute("aria-activedescendant");
  }

  function choose(at, opens) {
    if (!rows.length) return;
    active = Math.max(0, Math.min(rows.length - 1, at));
    const top = active * ROW;
    if (top < box.scrollTop) box.scrollTop = top;
    else if (top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top + ROW - box.clientHeight;
    draw(true);
    if (opens) options.open(rows[active]);
  }

  function key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    const page = Math.max(1, Math.floor(box.clientHeight / ROW) - 1);
    const moves = { ArrowDown: active + 1, ArrowUp: active - 1, PageDown: active + page, PageUp: active - page, Home: 0, End: rows.length - 1 };
    if (event.key in moves) choose(moves[event.key], false);
    else if ((event.key === "Enter" || event.key === " ") && active >= 0) options.open(rows[active], true);
    else if (tree && (event.key === "ArrowRight" || event.key === "ArrowLeft") && active >= 0) options.fold(rows[active], event.key === "ArrowRight");
    else return;
    event.preventDefault();
  }

  new ResizeObserver(() => draw(true)).observe(box);
  return {
    box,
    show(other, keep) {
      const was = rows[active], top = Math.floor(box.scrollTop / ROW), seen = rows[top];
      rows = other;
      active = keep && was !== undefined ? rows.indexOf(was) : -1;
      if (!keep) box.scrollTop = 0;
      else if (top > 0 && seen !== undefined && rows[top] !== seen) {
        // What is looked at stays where it is, whatever comes above it.
        const now = rows.indexOf(seen);
        space.style.height = rows.length * ROW + "px";
        if (now >= 0) box.scrollTop += (now - top) * ROW;
      }
      draw(true);
    },
    mark(row) {
      const at = rows.indexOf(row);
      if (at < 0) { active = -1; draw(true); return; }
      active = at;
      requestAnimationFrame(() => {
        space.style.height = rows.length * ROW + "px";
        const top = at * ROW;
        if (top < box.scrollTop || top + ROW > box.scrollTop + box.clientHeight) box.scrollTop = top - box.clientHeight / 2;
        draw(true);
      });
    },
    redraw: () => draw(true),
  };
}
