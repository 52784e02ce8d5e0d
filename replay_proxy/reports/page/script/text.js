// Elements and texts. Whatever the recording holds reaches the document here, and as text alone.

const SVG = "http://www.w3.org/2000/svg";
const INVISIBLE = /[\u0000-\u0008\u000b-\u001f\u007f-\u009f\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u2028-\u202f\u205f-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff0-\ufffb]|[\ud800-\udbff](?![\udc00-\udfff])|(?<![\ud800-\udbff])[\udc00-\udfff]|\udb40[\udc00-\udfff]/g;

// A text in which nothing turns the direction of writing, controls anything or is without a width.
function visible(text) {
  return String(text).replace(INVISIBLE, (found) => [...found].map((each) => "\\u{" + each.codePointAt(0).toString(16) + "}").join(""));
}

function fill(element, given, children) {
  for (const [name, value] of Object.entries(given || {})) {
    if (value === undefined || value === null || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else element.setAttribute(name, value === true ? "" : visible(value));
  }
  for (const child of children.flat(Infinity)) {
    if (child === undefined || child === null || child === false) continue;
    element.append(child instanceof Node ? child : document.createTextNode(visible(child)));
  }
  return element;
}
// Names of elements and attributes are constants of this page; values of `href` are made by `address` alone.
const el = (name, given, ...children) => fill(document.createElement(name), given, children);
const svg = (name, given, ...children) => fill(document.createElementNS(SVG, name), given, children);

const address = (view, ...rest) => "#/" + [view, ...rest].map((each) => encodeURIComponent(String(each).toWellFormed ? String(each).toWellFormed() : each)).join("/");
const link = (to, ...children) => el("a", { href: to }, ...children);
const number = (value) => Number(value).toLocaleString("en");
const counted = (count, noun) => number(count) + " " + noun + (count === 1 ? "" : "s");
const shortTime = (time) => (time.length > 19 ? time.slice(11, 19) : time);
const fullTime = (time) => (time.length > 19 ? time.slice(0, 23).replace("T", " ") : time);

function bytes(count) {
  const units = ["B", "KiB", "MiB", "GiB", "TiB"];
  let at = 0;
  for (; count >= 1024 && at < units.length - 1; at++) count /= 1024;
  return (at ? count.toFixed(1) : count) + " " + units[at];
}

// `AWS::SQS::Queue` is `Queue` where its service stands beside it.
const shortType = (type) => type.split("::").slice(2).join("::") || type.split(": ").slice(-1)[0];
