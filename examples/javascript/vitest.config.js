import { defineConfig } from "vitest/config";

export default defineConfig({
  test: {
    globalSetup: "./global-setup.js", // one proxy for the whole run
    setupFiles: "./setup.js", // its state, before each test
    fileParallelism: false, // all files share the one emulator
  },
});
