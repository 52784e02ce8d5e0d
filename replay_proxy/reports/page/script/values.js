// One value, one call, one resource.

const pretty = (value) => JSON.stringify(value, null, 2);

// The same, with documents that are kept as JSON in a text (policies, templates) shown by their members.
const readable = (value) => JSON.stringify(value, (member, each) => {
  if (typeof each !== "string" || !/^\s*[{[]/.test(each) || each.length > 20000) return each;
  try { return { "(JSON text)": JSON.parse(each) }; } catch { return each; }
}, 2);

function copyButton(text) {
  const button = el("button", { type: "button", onclick: async () => {
    try { await navigator.clipboard.writeText(text); button.textContent = "Copied"; } catch { button.textContent = "Select it and copy by hand"; }
    setTimeout(() => { button.textContent = "Copy"; }, 1500);
  } }, "Copy");
  return button;
}
const block = (title, text, copied) => [el("div", { class: "bar" }, el("h3", null, title), copyButton(copied || visible(text))), el("pre", { tabindex: 0, "aria-label": title }, text)];
const facts = (pairs) => el("dl", null, pairs.filter(([, value]) => value !== "" && value !== null && value !== undefined).map(([name, value]) => [el("dt", null, name), el("dd", null, value)]));

const callName = (call) => call.service ? call.service + " " + call.operation : "request that was not recognised";
const callLink = (seq) => {
  const call = store.bySeq.get(seq);
  return call ? [link(address("calls", seq), "call " + seq), " ", callName(call), el("span", { class: "soft" }, "  " + fullTime(call.time))] : "call " + seq;
};
const resourceLink = (id) => {
  const each = store.resources.get(id);
  return each ? [link(address("resources", id), each.name || each.id), " ", el("span", { class: "soft" }, each.type + (each.gone ? " (deleted)" : ""))] : "a resource that this page leaves out";
};
const madeBy = (id) => { const maker = store.resources.get(id); return maker && maker.made_by ? [", by ", callLink(maker.made_by)] : null; };
const problemsOf = (seq) => ((store.overview.restore || {}).problems || []).filter((each) => each.seq === seq);

function differences(problem) {
  if (problem.differences.length) {
    return el("div", { class: "scroll" }, el("table", null,
      el("thead", null, el("tr", null, el("th", { scope: "col" }, "Member"), el("th", { scope: "col" }, "Recorded"), el("th", { scope: "col" }, "Replayed"))),
      el("tbody", null, problem.differences.map((each) => el("tr", null, el("td", null, each.member), el("td", null, each.recorded), el("td", { class: "bad-text" }, each.replayed))))));
  }
  return problem.details.length ? el("ul", null, problem.details.map((each) => el("li", null, each))) : null;
}

function answerText(answer) {
  if (answer.error) return answer.error + (answer.message ? "\n" + answer.message : "");
  return readable(answer.result !== undefined ? answer.result : answer);
}

function callDetail(call) {
  const found = detailsOf(call);
  const parts = [
    el("h2", null, callName(call), " ", el("span", { class: "soft" }, "#" + call.seq)),
    el("p", null, el("span", { class: "tag" + (call.failed ? " bad" : "") }, call.status + (call.error ? " " + call.error : "")), el("span", { class: "tag" }, call.kind)),
    facts([
      ["time", fullTime(call.time)], ["took", call.ms ? call.ms + " ms" : ""], ["account", call.account], ["region", call.region],
      ["request", found ? found.request.method + " " + found.request.target : ""],
      ["resources", call.resources.length ? el("ul", { class: "plain" }, call.resources.slice(0, 100).map((each) => el("li", null, resourceLink(each)))) : ""],
    ]),
  ];
  for (const problem of problemsOf(call.seq)) parts.push(el("h3", { class: "bad-text" }, "In the restore: " + problem.result), el("p", null, problem.reason), differences(problem));
  if (!found) {
    parts.push(el("p", { class: "soft" }, store.complete ? "The request and the answer are left out of this page for its size: " : store.onTheWay, el("code", null, "replay-proxy inspect --call " + call.seq), " shows them."));
    return parts;
  }
  if (found.aws) parts.push(block("aws command", found.aws));
  const request = found.request.parameters !== undefined ? found.request.parameters : { ...found.request, method: undefined, target: undefined };
  parts.push(el("div", { class: "pair" }, el("div", null, block("Request", readable(request), pretty(request))), el("div", null, block("Answer", answerText(found.answer)))));
  if (found.notes) parts.push(block("Notes", pretty(found.notes)));
  return parts;
}

function resourceDetail(each) {
  const list = (items, draw) => [el("ul", { class: "plain" }, items.slice(0, 200).map((item) => el("li", null, draw(item)))), items.length > 200 ? el("p", { class: "soft" }, "and " + number(items.length - 200) + " more") : null];
  const identifiers = Object.entries(each.identifiers || {}).filter(([, value]) => value !== each.arn);
  const changed = (each.changed_by || []).slice(-1)[0] || each.made_by;
  const tags = Object.entries(each.tags || {});
  const parts = [
    el("h2", null, each.name || each.id),
    el("p", null, el("span", { class: "tag" }, each.type), each.gone ? el("span", { class: "tag bad" }, "deleted") : null, tags.map(([key, value]) => el("span", { class: "tag" }, key + ": " + value))),
    facts([
      ["created by", each.made_by ? callLink(each.made_by) : each.maker ? [resourceLink(each.maker), madeBy(each.maker)] : "no recorded call"],
      ["last changed by", changed && changed !== each.made_by ? callLink(changed) : ""],
      ["deleted by", each.gone ? callLink(each.gone) : ""],
      ["account", each.account], ["region", each.region || "global"], ["arn", each.arn],
      ...identifiers,
      ["data", each.data ? (each.data.exact ? "" : "about ") + (each.data.count === 1 ? counted(1, each.data.unit.replace(/s$/, "")) : number(each.data.count) + " " + each.data.unit) + ", " + bytes(each.data.bytes) : ""],
    ]),
  ];
  if (each.links.length || each.dependents.length || each.parts.length) parts.push(el("p", null, link(address("graph", each.number), "Show it in the graph")));
  if (each.links.length) parts.push(el("h3", null, "Links to (" + each.links.length + ")"), list(each.links, ([member, target, text]) => [el("span", { class: "soft" }, member + " → "), target ? resourceLink(target) : [text, el("span", { class: "tag bad" }, "not in the recording")]]));
  if (each.dependents.length) parts.push(el("h3", null, "Depended on by (" + each.dependents.length + ")"), list(each.dependents, ([member, from]) => [resourceLink(from), el("span", { class: "soft" }, " by " + member)]));
  if (each.parts.length) parts.push(el("h3", null, "Made by it (" + each.parts.length + ")"), list(each.parts, resourceLink));
  if (each.attributes && Object.keys(each.attributes).length) parts.push(block("Attributes", readable(each.attributes), pretty(each.attributes)));
  if (each.calls.length) parts.push(el("h3", null, "Calls (" + number(each.calls.length) + ")"), list(each.calls, callLink));
  return parts;
}
