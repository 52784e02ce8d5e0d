// The start of the report.

async function start() {
  const state = document.getElementById("state");
  try {
    await load();
  } catch (error) {
    main.replaceChildren(el("p", { class: "empty", role: "alert" }, "The data of this page cannot be read: " + error.message + ". `replay-proxy inspect` shows the recording in a terminal."));
    return;
  }
  const { summary, recording } = store.overview;
  document.getElementById("subtitle").textContent = visible(counted(summary.resources, "resource") + ", " + counted(summary.calls, "call") + (summary.failed ? " (" + number(summary.failed) + " refused)" : "") + (recording.first ? ", " + fullTime(recording.first).slice(0, 19) + " to " + fullTime(recording.last).slice(0, 19) + " UTC" : ""));
  for (const [view, [name]] of Object.entries(views)) if (!(view in { restore: 0, doctor: 0 }) || store.overview[view]) nav.append(el("a", { href: address(view), "data-view": view }, name));
  listen();
  if (parts()[0] === "search") box.value = parts()[1] || "";
  route();
  store.onload.push(() => {
    const left = store.leftOut, said = [];
    if (left.rows) said.push(counted(left.rows, "call") + " left out of the lists");
    if (left.resources) said.push(counted(left.resources, "resource") + " left out");
    if (left.calls) said.push(counted(left.calls, "call") + " without request and answer");
    state.textContent = store.complete ? (said.length ? "For the size of this page: " + said.join(", ") + "; `replay-proxy inspect` shows them" : "All " + counted(store.calls.length, "call") + " are here") : "Unpacking: " + number(store.loaded) + " of " + counted(store.calls.length, "call");
    if (store.complete) document.documentElement.dataset.ready = "true";
    if (shown.loaded) shown.loaded();
    if (store.complete && parts()[0] === "restore" && shown.choose) shown.choose(parts().slice(1));
  });
  setTimeout(() => loadDetails().catch((error) => { state.textContent = "The requests and answers cannot be read: " + visible(error.message); }));
}

start();
