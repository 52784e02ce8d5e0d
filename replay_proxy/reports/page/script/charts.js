// The timeline and the graph.

// A text as long as fits into a width.
const pen = document.createElement("canvas").getContext("2d");
function fitted(text, font, width) {
  text = visible(text);
  if (!pen) return text;
  pen.font = font;
  if (pen.measureText(text).width <= width) return text;
  let length = Math.min(text.length, 64);
  while (length > 1 && pen.measureText(text.slice(0, length) + "…").width > width) length--;
  return text.slice(0, length) + "…";
}
const cut = (text, limit) => { text = visible(text); return text.length > limit ? text.slice(0, limit - 1) + "…" : text; };

function timelineView(main, [mode]) {
  const calls = store.calls;
  if (!calls.length) {
    main.replaceChildren(el("p", { class: "empty" }, "The recording has no calls."));
    return { renew: () => timelineView(main, [mode]) };
  }
  const times = calls.map((call) => Date.parse(call.time) || 0);
  const begin = times.reduce((a, b) => Math.min(a, b)), end = times.reduce((a, b) => Math.max(a, b));
  // Where one pause takes most of the time, the order of calls tells more than the clock.
  let pause = 0;
  for (let at = 1; at < times.length; at++) pause = Math.max(pause, times[at] - times[at - 1]);
  const byOrder = mode ? mode === "order" : pause > (end - begin) / 2;
  const room = main.clientWidth - 66;
  const left = room < 700 ? 112 : 170, wide = Math.max(180, Math.min(1060, room - left - 50)), tall = 26;
  const bins = Math.max(20, Math.floor(wide / 6.5));
  const binOf = (at) => Math.min(bins - 1, Math.floor((byOrder ? at / calls.length : (times[at] - begin) / (end - begin || 1)) * bins));
  const services = new Map();
  calls.forEach((call, at) => {
    const name = call.service || "not recognised";
    if (!services.has(name)) services.set(name, { bins: new Map(), count: 0, failed: 0 });
    const row = services.get(name), bin = binOf(at);
    if (!row.bins.has(bin)) row.bins.set(bin, { count: 0, failed: 0, first: call, last: call, operations: new Map() });
    const cell = row.bins.get(bin);
    row.count++; cell.count++; cell.last = call;
    if (call.failed) { row.failed++; cell.failed++; }
    cell.operations.set(call.operation, (cell.operations.get(call.operation) || 0) + 1);
  });
  const names = [...services.keys()].sort();
  const most = Math.max(...[...services.values()].flatMap((row) => [...row.bins.values()].map((cell) => cell.count)));
  const height = names.length * tall + 34;
  const chart = svg("svg", { width: left + wide + 60, height, role: "group", "aria-label": "Calls by service over time" });
  names.forEach((name, line) => {
    const row = services.get(name), y = line * tall;
    chart.append(svg("text", { x: left - 10, y: y + 17, "text-anchor": "end" }, cut(name, room < 700 ? 16 : 24)));
    chart.append(svg("text", { x: left + wide + 8, y: y + 17, class: "minor" }, number(row.count)));
    chart.append(svg("line", { class: "axis", x1: left, x2: left + wide, y1: y + tall - 2, y2: y + tall - 2 }));
    for (const [bin, cell] of row.bins) {
      const operations = [...cell.operations].sort((a, b) => b[1] - a[1]).slice(0, 4).map(([operation, count]) => operation + " " + count).join(", ");
      const said = `${name}: ${counted(cell.count, "call")}${cell.failed ? ", " + cell.failed + " refused" : ""}, from ${fullTime(cell.first.time)}: ${operations}`;
      const part = 6 + 16 * Math.log1p(cell.count) / Math.log1p(most);
      const mark = svg("a", { href: address("calls", "from", cell.first.seq, cell.last.seq, name), class: "cell", "aria-label": said },
        svg("title", null, said),
        svg("rect", { x: left + bin * wide / bins, y: y + tall - 3 - part, width: wide / bins - 1, height: part, rx: 1 }),
        cell.failed ? svg("rect", { class: "refused", x: left + bin * wide / bins, y: y + tall - 3 - 4, width: wide / bins - 1, height: 4 }) : null);
      chart.append(mark);
    }
  });
  const axis = byOrder ? [[0, "call " + calls[0].seq], [wide, "call " + calls[calls.length - 1].seq]] : [[0, fullTime(calls[0].time).slice(0, 19)], [wide, fullTime(calls[calls.length - 1].time).slice(0, 19)]];
  axis.forEach(([x, text], at) => chart.append(svg("text", { class: "minor", x: left + x, y: height - 12 + (at && wide < 360 ? 12 : 0), "text-anchor": at ? "end" : "start" }, text)));
  main.replaceChildren(el("div", { class: "tools" },
    el("button", { type: "button", "aria-pressed": String(!byOrder), onclick: () => go(address("timeline", "time")) }, "By time"),
    el("button", { type: "button", "aria-pressed": String(byOrder), onclick: () => go(address("timeline", "order")) }, "By order"),
    el("span", { class: "legend" }, "The taller, the more calls (logarithmic); red at the foot: refused. A bar leads to its calls.")),
  el("div", { class: "page scroll" }, el("div", { class: "panel scroll" }, chart)));
  return { renew: (what) => what.calls && redraw(() => timelineView(main, [mode])) };
}

const GRAPH_MAX = 700;
const graphState = { zoom: 0 };

function graphView(main, [focus, hops]) {
  const all = [...store.resources.values()].filter((each) => !each.gone);
  const edges = [];
  for (const each of all) {
    for (const [member, target] of each.links) { const other = store.resources.get(target); if (other && !other.gone) edges.push({ from: each.number, to: target, member }); }
    if (each.maker && store.resources.has(each.maker)) edges.push({ from: each.maker, to: each.number, member: "made by itself", made: true });
  }
  const linked = new Set(edges.flatMap(({ from, to }) => [from, to]));
  const chosen = store.resources.get(Number(focus));
  const byType = focus === "types" || (!focus && linked.size > GRAPH_MAX);
  let found, left = 0;
  if (byType) found = typeGraph(all, edges);
  else if (chosen) found = around(chosen, edges, Number(hops) || 2);
  else {
    // What is drawn at once has a bound: beyond it, the graph by type leads to each part.
    const drawn = all.filter((each) => linked.has(each.number)).slice(0, GRAPH_MAX * 2);
    const kept = new Set(drawn.map((each) => each.number));
    found = mergeAlike(drawn.map(graphNode), edges.filter(({ from, to }) => kept.has(from) && kept.has(to)), new Set());
    left = linked.size - drawn.length;
  }
  const tools = [
    el("button", { type: "button", "aria-pressed": String(!byType && !chosen), onclick: () => go(address("graph", "all")) }, "All resources"),
    el("button", { type: "button", "aria-pressed": String(byType), onclick: () => go(address("graph", "types")) }, "By type"),
    chosen ? el("span", null, "around ", link(address("resources", chosen.number), chosen.name)) : null,
    chosen ? el("label", null, "steps ", select(["1", "2", "3", "4"], String(hops || 2), (value) => go(address("graph", chosen.number, value)))) : null,
    el("button", { type: "button", "aria-label": "smaller", onclick: () => zoom(1 / 1.25) }, "−"),
    el("button", { type: "button", "aria-label": "larger", onclick: () => zoom(1.25) }, "+"),
    el("span", { class: "count" }, found.nodes.length + " shown, " + number(all.length - linked.size) + " without links" + (left ? ", " + number(left) + " left out" : "")),
  ];
  const [picture, size] = drawGraph(found.nodes, found.edges, chosen);
  const canvas = el("div", { class: "canvas", tabindex: 0, role: "region", "aria-label": "Graph of links" }, found.nodes.length ? picture : el("p", { class: "empty" }, "No resource links to another one."));
  function zoom(factor) {
    const now = graphState.zoom || Math.min(1.3, Math.max(1, (canvas.clientWidth - 4) / size.width));
    graphState.zoom = Math.min(3, Math.max(0.2, now * (factor || 1)));
    picture.setAttribute("width", size.width * graphState.zoom);
    picture.setAttribute("height", size.height * graphState.zoom);
  }
  main.replaceChildren(el("div", { class: "graph" }, el("div", { class: "tools" }, tools), canvas));
  // A small graph is drawn somewhat larger, as far as it fits; whoever chose a size keeps it.
  if (graphState.zoom) zoom(1); else { zoom(0); graphState.zoom = 0; }
  drag(canvas);
  return { renew: (what) => what.resources && redraw(() => graphView(main, [focus, hops])) };
}

const graphNode = (each) => ({ id: each.number, type: each.type, service: each.service, name: each.name });

function typeGraph(all, edges) {
  const types = new Map(), joined = new Map();
  const idOf = (number) => "type " + store.resources.get(number).type;
  for (const each of all) {
    const id = "type " + each.type;
    if (!types.has(id)) types.set(id, { id, type: each.type, service: each.service, members: [] });
    types.get(id).members.push(each.number);
  }
  for (const { from, to, made } of edges) {
    const key = idOf(from) + " " + idOf(to);
    if (idOf(from) !== idOf(to)) joined.set(key, { from: idOf(from), to: idOf(to), made, count: ((joined.get(key) || {}).count || 0) + 1 });
  }
  const kept = new Set([...joined.values()].flatMap(({ from, to }) => [from, to]));
  return { nodes: [...types.values()].filter((each) => kept.has(each.id)).map((each) => ({ ...each, name: number(each.members.length) + " × " + shortType(each.type) })), edges: [...joined.values()].map((each) => ({ ...each, member: counted(each.count, "link") })) };
}

function around(chosen, edges, hops) {
  const near = new Map();
  for (const edge of edges) for (const [a, b] of [[edge.from, edge.to], [edge.to, edge.from]]) { if (!near.has(a)) near.set(a, []); near.get(a).push(b); }
  let border = [chosen.number];
  const seen = new Set(border);
  for (let hop = 0; hop < hops; hop++) border = border.flatMap((id) => (near.get(id) || []).filter((each) => !seen.has(each) && seen.add(each)));
  const nodes = [...seen].map((id) => graphNode(store.resources.get(id)));
  return mergeAlike(nodes, edges.filter(({ from, to }) => seen.has(from) && seen.has(to)), new Set([chosen.number]));
}

// What very many use (a role, a network), or what made them all (a stack), would tie all to all: its links are drawn while one of their ends is looked at.
const HUB = 8;

function drawGraph(nodes, edges, chosen) {
  const users = new Map(), makes = new Map();
  for (const { from, to, made } of edges) if (made) makes.set(from, (makes.get(from) || 0) + 1); else users.set(to, (users.get(to) || 0) + 1);
  const isHub = ({ from, to, made }) => (made ? makes.get(from) >= HUB && !(chosen && from === chosen.number) : nodes.length > 40 && users.get(to) >= HUB && !(chosen && to === chosen.number));
  for (const edge of edges) edge.far = isHub(edge);
  for (const node of nodes) { node.users = users.get(node.id) >= HUB ? users.get(node.id) : 0; node.makes = makes.get(node.id) >= HUB ? makes.get(node.id) : 0; }
  const [size, via] = placeNodes(nodes, edges.filter((edge) => !edge.far));
  const byId = new Map(nodes.map((each) => [each.id, each]));
  const picture = svg("svg", { viewBox: `0 0 ${size.width} ${size.height}`, role: "group", "aria-label": "Resources and their links" });
  picture.append(svg("defs", null, svg("marker", { id: "arrow", viewBox: "0 0 8 8", refX: 8, refY: 4, markerWidth: 7, markerHeight: 7, orient: "auto" }, svg("path", { class: "head", d: "M0 0L8 4L0 8z" }))));
  const paths = edges.map((edge) => {
    const from = byId.get(edge.from), to = byId.get(edge.to);
    if (!from || !to) return null;
    const forward = to.x >= from.x + NODE.width;
    const x1 = forward ? from.x + NODE.width : from.x, x2 = forward ? to.x : to.x + (to.x + NODE.width <= from.x ? NODE.width : 0);
    const y1 = from.y + NODE.height / 2, y2 = to.y + NODE.height / 2, bend = Math.max(30, Math.abs(x2 - x1) / 2);
    let line = `M${x1} ${y1}`, x = x1, y = y1;
    for (const bend of (forward && !edge.far && via.get(edge.from + " " + edge.to)) || []) {
      const half = (bend.x - x) / 2;
      line += `C${x + half} ${y} ${bend.x - half} ${bend.y} ${bend.x} ${bend.y}H${bend.x + NODE.width}`;
      [x, y] = [bend.x + NODE.width, bend.y];
    }
    const reach = x === x1 ? bend : Math.abs(x2 - x) / 2;
    line += `C${x + (forward ? reach : -reach)} ${y} ${x2 + (forward || x2 === to.x ? -reach : reach)} ${y2} ${x2} ${y2}`;
    const path = svg("path", { class: "edge" + (edge.made ? " made" : "") + (edge.far ? " far" : ""), "marker-end": "url(#arrow)", d: line }, svg("title", null, edge.member));
    picture.append(path);
    return [edge, path];
  }).filter(Boolean);
  for (const each of nodes) {
    const to = each.members ? (String(each.id).startsWith("type ") ? address("resources", "type", each.type) : address("graph", each.members[0], 1)) : address("resources", each.id);
    const node = svg("a", { class: "node" + (chosen && each.id === chosen.number ? " chosen" : ""), href: to, transform: `translate(${each.x} ${each.y})` },
      svg("title", { "aria-hidden": "true" }, (each.name || "") + "\n" + each.type),
      svg("rect", { width: NODE.width, height: NODE.height, rx: 5 }),
      svg("text", { x: 8, y: 15 }, fitted(each.name || "(no name)", "12px system-ui, sans-serif", NODE.width - (each.users || each.makes ? 46 : 14))),
      svg("text", { x: 8, y: 28, class: "minor" }, fitted(each.type.replace(/^AWS::/, ""), "10.5px system-ui, sans-serif", NODE.width - 14)),
      each.makes ? svg("text", { x: NODE.width - 8, y: 15, class: "minor", "text-anchor": "end", "aria-hidden": "true" }, each.makes + " →") : null,
      each.users ? svg("text", { x: NODE.width - 8, y: 15, class: "minor", "text-anchor": "end", "aria-hidden": "true" }, "← " + each.users) : null);
    const near = (on) => paths.forEach(([edge, path]) => { if (edge.from === each.id || edge.to === each.id) path.classList.toggle("near", on); });
    for (const [event, on] of [["mouseenter", true], ["focus", true], ["mouseleave", false], ["blur", false]]) node.addEventListener(event, () => near(on));
    picture.append(node);
  }
  return [picture, size];
}

function drag(canvas) {
  canvas.addEventListener("pointerdown", (event) => {
    if (event.target.closest("a") || event.button) return;
    const start = [event.clientX + canvas.scrollLeft, event.clientY + canvas.scrollTop];
    const move = (next) => { canvas.scrollLeft = start[0] - next.clientX; canvas.scrollTop = start[1] - next.clientY; };
    canvas.setPointerCapture(event.pointerId);
    canvas.addEventListener("pointermove", move);
    canvas.addEventListener("pointerup", () => canvas.removeEventListener("pointermove", move), { once: true });
  });
}
