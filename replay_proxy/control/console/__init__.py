"""The console: what the proxy does and what its recording adds up to, live, in a browser at `/_replay/`.

In comes a browser (`Accept: text/html`); out goes a page that shows the views of `reports.page`, and keeps them up to date. A
stream of events (Server-Sent Events) tells it what changes: requests that pass, the state of the proxy, calls and resources.

What is in the recording is read, and followed, by a child process: it costs the requests of clients neither time nor memory.
It is there while somebody looks, and ends soon after. Nothing is kept for a single viewer: each takes what is new from
what is kept for all, within bounds, and one that is slower than that skips some, or loads anew.

The page itself holds no data and is given to everybody who may connect; all that it shows comes by endpoints that are guarded
as the others are (`control.routes`). Its Content-Security-Policy allows its own script and style by a number used once.

| module | subject |
|---|---|
| `endpoints` | which request is answered by what |
| `page` | the page, its script and style, and the header fields that hold them in |
| `viewers` | the stream of events of each viewer; what runs only while there is one |
| `proxy_view` | what the page shows of the proxy: state, counts, restore |
| `model_process` | the child process, as the proxy sees it |
| `model_worker` | the child process: answers questions, tells what is new |
| `followed_recording` | a recording and its resources, kept up with a journal that grows |
| `console.html`, `console.css` | the template; the style, after that of the report |
| `script/feed.js` | the stream of events, the data, the token |
| `script/live.js` | the views that only the console has: overview, live, aliases |
| `script/controls.js` | save, load, reset, each with its consent |
| `script/pods.js` | the view of pods |
| `script/diagnosis.js` | the view of the latest diagnosis, and examining anew |
| `script/console.js` | start |
"""
