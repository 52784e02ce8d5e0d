// Pods in the store of the proxy: what is there, saving the state as one, loading and removing one, each with its consent.

function podsView(main) {
  let all = null, chosen = "", versions = [];
  const count = el("span", { class: "count" });
  const HINT = "Named, versioned snapshots of the state, in the store of this proxy. Choose one for its versions.";
  const when = (seconds) => (seconds ? fullTime(new Date(seconds * 1000).toISOString()).slice(0, 16) : "");
  const list = virtualList({
    label: "Pods", rows: [],
    draw: (each) => ({ cells: [el("span", { class: "grow" }, each.pod_name), el("span", { class: "note" }, "version " + each.max_version + (each.last_change ? ", " + when(each.last_change) : ""))] }),
    open: (each, byKey) => { list.mark(each); choose(each.pod_name).then(() => byKey && view.focus()); },
  });
  const view = split(main, [el("button", { type: "button", onclick: save }, "Save the state …"), count], list, "pods");
  view.box.querySelector(".back").addEventListener("click", (event) => { event.preventDefault(); chosen = ""; view.show(null, HINT); });
  const at = (name) => "/_localstack/pods/" + encodeURIComponent(name);

  async function load() {
    try { all = (await (await ask("/_localstack/pods")).json()).cloudpods; } catch (error) { view.show(null, error.message); count.textContent = ""; return; }
    list.show(all, true);
    count.textContent = counted(all.length, "pod");
    if (chosen && all.some((each) => each.pod_name === chosen)) await choose(chosen);
    else { chosen = ""; view.show(null, all.length ? HINT : "There is no pod yet. `Save the state` makes one; so does `replay-proxy pod save NAME`."); }
  }

  async function choose(name) {
    chosen = name;
    try { versions = (await (await ask(at(name) + "/versions")).json()).versions; } catch (error) { view.show(null, error.message); return; }
    if (chosen !== name) return;
    view.show([
      el("h2", null, name),
      el("div", { class: "actions" }, el("button", { type: "button", onclick: () => loadPod(name, "") }, "Load the latest …"), el("button", { type: "button", class: "bad", onclick: () => remove(name) }, "Remove …")),
      el("h3", null, "Versions (" + versions.length + ")"),
      smallTable([["Version", "number"], ["Made"], ["By"], ["Message", "what"], ["Services"], ["Size", "number"], [el("span", { class: "hidden" }, "Load")]], [...versions].reverse().map((each) => [each.version, when(each.created_at), each.user, each.description, each.services.join(", "), bytes(each.storage_size), el("button", { type: "button", "aria-label": "Load version " + each.version, onclick: () => loadPod(name, each.version) }, "Load …")])),
    ]);
  }

  function save() {
    const name = el("input", { id: "pod-name", required: true, pattern: "[A-Za-z0-9]([A-Za-z0-9._\\-]*[A-Za-z0-9])?", title: "letters and digits, and . _ - between them", value: chosen, autocomplete: "off", spellcheck: "false" });
    const message = el("input", { id: "pod-message", autocomplete: "off" });
    consent("Save", "", [el("p", null, "The state, with its data, is saved as the next version of a pod."), el("label", { for: "pod-name" }, "Pod"), name, el("label", { for: "pod-message" }, "Message"), message],
      () => { chosen = name.value; return [at(name.value), { method: "POST", body: JSON.stringify({ attributes: { description: message.value } }) }]; }, load);
  }

  function loadPod(name, version) {
    const merge = select([["", "as the proxy is set (--pod-merge)"], ["overwrite", "exactly the pod"], ["account-region-merge", "whole services of the pod"], ["service-merge", "resources of both"]], "", () => {});
    merge.id = "pod-merge";
    consent("Load", "bad", [
      el("p", null, "The pod " + name + (version ? ", version " + version : "") + " and what is there become one state. Requests of clients wait meanwhile."),
      el("label", { for: "pod-merge" }, "How they become one"), merge,
    ], () => [at(name) + "?merge=" + merge.value + (version ? "&version=" + version : ""), { method: "PUT" }], load);
  }

  function remove(name) {
    consent("Remove", "bad", [el("p", null, "The pod " + name + " is removed with all its versions.")], () => [at(name), { method: "DELETE" }], load);
  }

  view.show(null, HINT);
  load();
}
