// A diagnosis: each resource with its links, ticks and crosses; what is wrong stands first.

const MARKS = { there: "✓", absent: "✗" };
const markOf = (holds) => (holds === true ? "✓" : holds === false ? "✗" : "?");

function doctorView(main, found = store.overview.doctor, tools = [], before = null) {
  const wrong = new Map();
  for (const each of found.findings) { if (!wrong.has(each.resource)) wrong.set(each.resource, []); wrong.get(each.resource).push(each); }
  const isBad = (check) => wrong.has(check.resource) || check.state === "absent" || check.links.some((each) => each.holds === false);
  const rows = [...found.tree].map((check) => ({ check, findings: wrong.get(check.resource) || [], bad: isBad(check) })).sort((a, b) => b.bad - a.bad);
  const list = virtualList({
    label: "Resources, and whether they are wired", rows,
    draw: ({ check, findings, bad }) => ({ cells: [el("span", { class: bad ? "bad-text" : check.state === "there" ? "good-text" : "soft" }, bad ? "✗" : MARKS[check.state] || "?"), el("span", { class: "service" }, check.type), el("span", { class: "grow" }, check.name), el("span", { class: "note" + (bad ? " bad-text" : "") }, findings.length ? findings[0].problem : check.state === "there" ? "" : check.state)] }),
    open: (row) => go(address("doctor", rows.indexOf(row) + 1)),
  });
  const { links, resources } = found;
  const view = split(main, [tools, found.none ? null : [
    el("span", { class: "tag" + (found.findings.length ? " bad" : "") }, found.findings.length ? counted(found.findings.length, "finding") : "nothing is wrong"),
    found.pending.length ? el("span", { class: "tag" }, counted(found.pending.length, "thing") + " under way") : null,
    found.cut ? el("span", { class: "tag bad" }, number(found.cut) + " left out for the size of this page") : null,
    el("span", { class: "count" }, number(resources.there) + " of " + counted(resources.checked, "resource") + " there, wired " + number(links.held) + " of " + counted(links.checked, "link"))]], list, "doctor");
  const choose = (now) => {
    const row = rows[Number(now[0]) - 1];
    if (!row) return view.show(null, before || (rows.length ? "Choose a resource: its links, what is wrong with it, and the commands that mend it." : "There was nothing to examine."));
    list.mark(row);
    const { check, findings } = row;
    view.show([
      el("h2", null, check.type + " ", check.name),
      el("p", null, el("span", { class: "tag" + (row.bad ? " bad" : "") }, check.status || check.state), check.answer || (check.reading ? "by " + check.reading : "")),
      findings.map((each) => [
        el("h3", { class: "bad-text" }, each.problem + (each.member ? ": " + each.member : "")),
        el("p", null, each.cause + (each.answer ? " (" + each.answer + ")" : "")),
        each.recorded ? el("p", { class: "soft" }, "recorded: " + each.recorded) : null,
        each.call && store.bySeq.has(each.call) ? el("p", null, link(address("calls", each.call), "The recorded call")) : null,
        each.commands.length ? block("What mends it", each.commands.join("\n")) : null,
      ]),
      check.links.length ? [el("h3", null, "Links"), el("ul", { class: "plain" }, check.links.map((each) => el("li", { class: each.holds === false ? "bad-text" : null }, markOf(each.holds) + " " + each.member + " → " + each.target_type + " " + each.target_name + (each.consequence ? ", which is missing" : ""))))] : null,
    ]);
  };
  return { choose };
}
