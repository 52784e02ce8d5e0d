// The places of resources in the graph: each group of linked resources by itself, in layers from what uses to what is used.

const NODE = { width: 190, height: 34, gap: 8, layer: 80, bend: 14, rows: 24, page: 1500 };

// nodes: [{id}]; edges: [{from, to}]. Gives each node `x` and `y`; returns the size of all, and the bends of each link.
function placeNodes(nodes, edges) {
  const byId = new Map(nodes.map((each) => [each.id, each]));
  const out = new Map(nodes.map((each) => [each.id, []])), into = new Map(nodes.map((each) => [each.id, []]));
  for (const { from, to } of edges) if (from !== to) { out.get(from).push(to); into.get(to).push(from); }
  const groups = linkedGroups(nodes, out, into).sort((a, b) => b.length - a.length);
  const size = { width: 0, height: 0 }, via = new Map();
  let x = 0, y = 0, shelf = 0;
  for (const group of groups) {
    const box = placeGroup(group, out, byId, via);
    if (x && x + box.width > NODE.page) { x = 0; y += shelf + 40; shelf = 0; }
    for (const each of box.places) { each.x += x + 10; each.y += y + 10; }
    x += box.width + 50;
    shelf = Math.max(shelf, box.height);
    size.width = Math.max(size.width, x);
    size.height = Math.max(size.height, y + shelf + 20);
  }
  return [size, via];
}

function linkedGroups(nodes, out, into) {
  const seen = new Set(), groups = [];
  for (const { id } of nodes) {
    if (seen.has(id)) continue;
    seen.add(id);
    const group = [id];
    for (const at of group) for (const next of [...out.get(at), ...into.get(at)]) if (!seen.has(next)) { seen.add(next); group.push(next); }
    groups.push(group);
  }
  return groups;
}

// The layer of a node is beyond those of all that use it; a link that would close a circle does not count.
function layersOf(group, out) {
  const state = new Map(), order = [], counted = new Map(group.map((id) => [id, []]));
  for (const start of group) {
    if (state.has(start)) continue;
    const stack = [[start, 0]];
    state.set(start, 1);
    while (stack.length) {
      const top = stack[stack.length - 1], [id, at] = top;
      if (at === out.get(id).length) { state.set(id, 2); order.push(id); stack.pop(); continue; }
      top[1]++;
      const next = out.get(id)[at];
      if (state.get(next) === 1) continue;
      counted.get(id).push(next);
      if (!state.has(next)) { state.set(next, 1); stack.push([next, 0]); }
    }
  }
  const depth = new Map(group.map((id) => [id, 0]));
  for (const id of order.reverse()) for (const next of counted.get(id)) depth.set(next, Math.max(depth.get(next), depth.get(id) + 1));
  // What uses something stands right before it, and not in the first layer.
  for (const id of order.slice().reverse()) {
    const nexts = counted.get(id);
    if (nexts.length) depth.set(id, Math.max(depth.get(id), Math.min(...nexts.map((each) => depth.get(each))) - 1));
  }
  const layers = [];
  for (const id of group) (layers[depth.get(id)] = layers[depth.get(id)] || []).push(id);
  return layers.filter(Boolean);
}

// A link that passes layers goes through a place of its own in each of them, so that it runs behind no resource.
function placeGroup(group, out, byId, via) {
  const layers = layersOf(group, out), layerOf = new Map(), near = new Map(), bends = new Map();
  layers.forEach((layer, at) => layer.forEach((id) => { layerOf.set(id, at); near.set(id, []); }));
  for (const from of group) for (const to of out.get(from)) {
    const path = [from];
    if (group.length <= 200) for (let at = layerOf.get(from) + 1; at < layerOf.get(to); at++) {
      const bend = "bend " + from + " " + to + " " + at;
      if (!bends.has(bend)) { bends.set(bend, { x: 0, y: 0 }); near.set(bend, []); layers[at].push(bend); }
      path.push(bend);
    }
    via.set(from + " " + to, path.slice(1).map((bend) => bends.get(bend)));
    path.push(to);
    for (let at = 1; at < path.length; at++) { near.get(path[at - 1]).push(path[at]); near.get(path[at]).push(path[at - 1]); }
  }
  const place = new Map();
  layers.forEach((layer) => layer.forEach((id, at) => place.set(id, (at + 0.5) / layer.length)));
  for (let sweep = 0; sweep < 8; sweep++) {
    for (const layer of sweep % 2 ? layers.slice().reverse() : layers) {
      const middle = new Map(layer.map((id) => [id, near.get(id).length ? near.get(id).reduce((sum, each) => sum + place.get(each), 0) / near.get(id).length : place.get(id)]));
      layer.sort((a, b) => middle.get(a) - middle.get(b));
      layer.forEach((id, at) => place.set(id, (at + 0.5) / layer.length));
    }
  }
  const height = (id) => (bends.has(id) ? NODE.bend : NODE.height + NODE.gap), tall = (ids) => ids.reduce((sum, id) => sum + height(id), 0);
  // A layer that is too tall is put into several columns.
  const columns = layers.flatMap((layer) => {
    const count = Math.ceil(tall(layer) / (NODE.rows * (NODE.height + NODE.gap))), each = Math.ceil(layer.length / count);
    return Array.from({ length: count }, (_, at) => ({ ids: layer.slice(at * each, (at + 1) * each), last: at === count - 1 }));
  });
  const tallest = Math.max(...columns.map(({ ids }) => tall(ids)));
  let x = 0;
  for (const { ids, last } of columns) {
    let y = (tallest - tall(ids)) / 2;
    for (const id of ids) {
      Object.assign(bends.get(id) || byId.get(id), { x, y: bends.has(id) ? y + NODE.bend / 2 : y });
      y += height(id);
    }
    x += NODE.width + (last ? NODE.layer : 24);
  }
  return { width: x - NODE.layer, height: tallest, places: [...group.map((id) => byId.get(id)), ...bends.values()] };
}

// Resources of one type with the same neighbours become one node: `12 × Queue`.
function mergeAlike(nodes, edges, keep) {
  const key = new Map(nodes.map((each) => [each.id, { out: [], into: [] }]));
  for (const { from, to } of edges) { key.get(from).out.push(to); key.get(to).into.push(from); }
  const alike = new Map();
  for (const each of nodes) {
    const { out, into } = key.get(each.id);
    const sign = keep.has(each.id) ? "own " + each.id : [each.type, out.sort((a, b) => a - b).join(), into.sort((a, b) => a - b).join()].join("|");
    if (!alike.has(sign)) alike.set(sign, []);
    alike.get(sign).push(each);
  }
  const stands = new Map(), kept = [];
  for (const group of alike.values()) {
    if (group.length < 4) { for (const each of group) { stands.set(each.id, each.id); kept.push(each); } continue; }
    const merged = { id: "many" + group[0].id, type: group[0].type, service: group[0].service, name: number(group.length) + " × " + shortType(group[0].type), members: group.map((each) => each.id) };
    kept.push(merged);
    for (const each of group) stands.set(each.id, merged.id);
  }
  const joined = new Map();
  for (const each of edges) {
    const from = stands.get(each.from), to = stands.get(each.to);
    if (from !== to) joined.set(from + " " + to + " " + each.made, { from, to, made: each.made, member: each.member });
  }
  return { nodes: kept, edges: [...joined.values()] };
}
