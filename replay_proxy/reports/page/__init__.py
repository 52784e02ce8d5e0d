"""One HTML page with all that is in a recording: it needs no network, and nothing in the recording does anything but show.

In: a recording, its model, the report of a restore. Out: the bytes of the page. The data are JSON in elements that browsers do
not run; the page's own script writes them as text alone; its Content-Security-Policy allows this script and this style by their
digests, and nothing else. What is long is cut, so that the page stays within a size that viewers of CI artifacts take.

The console of a running proxy shows the same views by the same files, with data that it asks for (`control.console`).

| module | subject |
|---|---|
| `write` | the page: template, style, scripts, data; its bounds |
| `assets` | the files of the page |
| `doctor_part` | a diagnosis as the page's script reads it |
| `restore_part` | the report of a restore as the page's script reads it |
| `data` | resources and calls as the page's script reads them |
| `preview` | values cut to a size, JSON that is harmless in HTML |
| `page.html`, `page.css` | the template, the style; light and dark |
| `script/text.js` | elements and texts: the only place that writes to the document |
| `script/store.js` | what the views show: calls, resources, requests and answers; search; links |
| `script/list.js` | lists and trees of any length, by keyboard and screen reader |
| `script/values.js` | a value, a table of facts, a call, a resource |
| `script/layout.js` | the places of resources in the graph |
| `script/views.js`, `script/charts.js`, `script/doctor.js` | the views |
| `script/router.js` | addresses, search, keys |
| `script/embedded.js`, `script/report.js` | the data that are in the page, read piece by piece; start |
"""
