"""The interception door: clients that cannot be told an endpoint reach the engine while they believe they talk to AWS.

In come connections of clients that were given a proxy (`HTTPS_PROXY`) and trust a certificate authority. Out go their requests
for AWS, to the engine, and refusals of everything else, unless settings say that it may pass. May import `proxy.http`, `wire`,
and what is below `proxy`; mitmproxy is imported by `door`, `addon`, `hosted` and `authority` alone, and only when the
door is opened.

- `door`: `InterceptionDoor`, the listening proxies on embedded mitmproxy, and the server behind them.
- `addon`: what mitmproxy is told at its hooks: where connections and requests go.
- `hosted`: the same inside of somebody's own mitmproxy.
- `opening`: whether settings ask for a door.
- `clients`: what clients need: variables, and how they are made to trust the authority.
- `routes`: that decision, by names of hosts; pure.
- `refused_hosts`: which hosts were refused, for the log.
- `authority`: the certificate authority: where it lies, how it is made.
- `mitmproxy_extra`: whether mitmproxy is installed.
"""
