// Save, load, reset: each asks first, and tells what came of it.

function dialog(title, parts, buttons) {
  const head = "dialog-" + (dialog.count = (dialog.count || 0) + 1);
  const box = el("dialog", { "aria-labelledby": head }, el("h2", { id: head }, title), parts, buttons ? el("div", { class: "actions" }, buttons) : null);
  const from = document.activeElement;
  box.addEventListener("close", () => { box.remove(); if (from && from.isConnected) from.focus(); });
  document.body.append(box);
  box.showModal();
  return box;
}

const CONTROLS = [
  ["Save", "/_localstack/state/save", "", () => ["Everything that was recorded so far is made durable now." + (feed.state && feed.state.save_strategy === "MANUAL" ? " Under MANUAL this is the save point to which the next start goes back." : "")]],
  ["Load", "/_localstack/state/load", "", () => ["What is recorded and not in the emulator yet is restored. Where nothing is missing, nothing happens."]],
  ["Load anew", "/_localstack/state/load?reset=1", "bad", () => ["The emulator is emptied, and everything that is recorded is restored.", "Requests of clients wait meanwhile. What is in the emulator and not in the recording is lost."]],
  ["Reset", "/_localstack/state/reset", "bad", () => ["The emulator forgets everything, and what was recorded before is not restored any more.", "The recording keeps its calls, with a mark that they do not count. It cannot be undone here."]],
];

function controlButtons() {
  return CONTROLS.map(([name, path, kind, about]) => el("button", { type: "button", class: kind, onclick: () => consent(name, kind, about().map((each) => el("p", null, each)), () => [path, { method: "POST" }]) }, name + " …"));
}

// request: called when it is done, for where it goes and how. after: called at its end.
function consent(name, kind, parts, request, after) {
  const cancel = el("button", { type: "button", onclick: () => box.close() }, "Cancel");
  const act = el("button", { type: "submit", class: kind }, name);
  const form = el("form", { onsubmit: (event) => { event.preventDefault(); carryOut(box, form, name, request(), cancel, act).then(after); } }, parts, el("div", { class: "actions" }, cancel, act));
  const box = dialog(name + "?", form, null);
  (form.querySelector("input") || cancel).focus();
}

async function carryOut(box, form, name, [path, options], cancel, act) {
  act.remove();
  cancel.textContent = "Close";
  cancel.focus();
  const said = el("p", { role: "status" }, name + " is under way …");
  const lines = el("ul", { class: "plain" });
  form.insertBefore(said, form.lastChild);
  form.insertBefore(lines, form.lastChild);
  let bad = 0;
  const line = (found) => {
    const error = found.error || (found.status === "error" && found.message);
    if (found.status === "error" || error) bad++;
    if (!found.service && !error) return;
    lines.append(el("li", { class: found.status === "error" || error ? "bad-text" : null }, error ? error + (found.hint ? "; " + found.hint : "") : found.service + (found.calls === undefined ? "" : ": " + number(found.restored) + " of " + counted(found.calls, "call"))));
  };
  try {
    const answer = await ask(path, options);
    let text = "";
    const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
    for (let got = await reader.read(); !got.done; got = await reader.read()) {
      text += got.value;
      const whole = text.split("\n");
      text = whole.pop();
      for (const each of whole) if (each.trim()) { try { line(JSON.parse(each)); } catch { /* an answer of the emulator's own */ } }
    }
    said.textContent = bad ? name + ": not everything is as recorded." : name + ": done.";
  } catch (error) {
    if (error instanceof TokenWanted) { box.close(); return askForToken(); }
    said.textContent = name + " failed: " + visible(error.message);
    said.className = "bad-text";
  }
}

let asking = null;
function askForToken() {
  asking = asking || new Promise((done) => {
    const field = el("input", { type: "password", id: "token", name: "token", autocomplete: "current-password", required: true, autofocus: true });
    const form = el("form", { onsubmit: (event) => { event.preventDefault(); feed.token = field.value; box.close(); } },
      el("p", null, feed.token ? "That is not the control token." : "This proxy wants its control token (--control-token, REPLAY_CONTROL_TOKEN) for everything that the console shows."),
      el("input", { type: "text", name: "username", autocomplete: "username", value: "replay-proxy", hidden: true }), el("label", { for: "token" }, "Control token"), field, el("div", { class: "actions" }, el("button", { type: "submit" }, "Log in")));
    const box = dialog("Log in", form, null);
    box.addEventListener("cancel", (event) => event.preventDefault());
    box.addEventListener("close", () => { asking = null; done(); });
  });
  return asking;
}
