// The latest diagnosis of the proxy, and examining anew.

const proxyDoctor = { found: null, said: "", busy: false };

function proxyDoctorView(main) {
  const nothing = { findings: [], notes: [], pending: [], tree: [], resources: { there: 0, checked: 0 }, links: { held: 0, checked: 0 }, cut: 0, none: true };
  const HINT = "Is everything that was recorded there, and do its links hold? Only reads are sent, and nothing is recorded.";
  let inner = { choose: () => {} };
  const draw = () => {
    const button = el("button", { type: "button", disabled: proxyDoctor.busy, onclick: () => load({ method: "POST" }) }, proxyDoctor.busy ? "Examining …" : "Examine now");
    inner = doctorView(main, proxyDoctor.found || nothing, [button], proxyDoctor.said || (proxyDoctor.found ? null : HINT));
    inner.choose(parts()[0] === "doctor" ? parts().slice(1) : []);
  };
  async function load(options) {
    if (proxyDoctor.busy) return;
    proxyDoctor.busy = Boolean(options);
    proxyDoctor.said = "";
    if (options) draw();
    try { const found = await (await ask("/_replay/doctor", options)).json(); proxyDoctor.found = found && { cut: 0, ...found }; } catch (error) { if (options) proxyDoctor.said = error.message; }
    proxyDoctor.busy = false;
    if (parts()[0] === "doctor") draw();
  }
  draw();
  load();
  return { choose: (now) => inner.choose(now) };
}
