// The data of the report: in elements of its own page, read piece by piece, so that the page can be used while the last of it
// is unpacked.

const pieces = (kind) => document.querySelectorAll('script[type="application/json"][data-part="' + kind + '"]');

async function textOf(piece) {
  const text = piece.textContent;
  piece.textContent = "";
  if (text[0] !== '"') return text;
  if (typeof DecompressionStream === "undefined") throw new Error("this browser cannot unpack the data (no DecompressionStream); a current one can");
  const packed = Uint8Array.from(atob(JSON.parse(text)), (char) => char.charCodeAt(0));
  return new Response(new Blob([packed]).stream().pipeThrough(new DecompressionStream("gzip"))).text();
}

async function load() {
  store.overview = JSON.parse(pieces("overview")[0].textContent);
  store.leftOut = JSON.parse(pieces("left_out")[0].textContent);
  for (const piece of pieces("rows")) takeRows(JSON.parse(await textOf(piece)));
  for (const piece of pieces("resources")) takeResources(JSON.parse(await textOf(piece)));
  relate();
}

async function loadDetails() {
  for (const piece of pieces("calls")) {
    takeDetails(await textOf(piece));
    store.onload.forEach((each) => each());
    await new Promise((done) => setTimeout(done));
  }
  store.complete = true;
  store.onload.forEach((each) => each());
}
