// The same in a container, with Testcontainers: init scripts make what the tests expect, and it has started when they have run.
import { GenericContainer, Wait } from "testcontainers";

const INIT = "/etc/replay-proxy/init";

// Returns a container that is not started yet. init: a folder with ready.d/*.sh and the like. recording: a folder, or none.
export function replayProxyContainer({ image = "replay-proxy:moto", init, recording } = {}) {
  let container = new GenericContainer(image)
    .withExposedPorts(4566)
    .withEnvironment({ SNAPSHOT_SAVE_STRATEGY: "MANUAL" })
    .withWaitStrategy(Wait.forHttp("/_replay/ready", 4566))
    .withStartupTimeout(120_000);
  if (init !== undefined) container = container.withCopyDirectoriesToContainer([{ source: init, target: INIT }]);
  if (recording !== undefined) {
    // What is copied belongs to root.
    container = container.withUser("root");
    container = container.withCopyDirectoriesToContainer([{ source: recording, target: "/var/lib/replay-proxy" }]);
  }
  return container;
}

// AWS_ENDPOINT_URL of a started container.
export const endpointOf = (started) => `http://${started.getHost()}:${started.getMappedPort(4566)}`;
