import { MemoryDocker } from './docker.memory.ts';
import { dockerSuite } from './docker.suite.ts';

describe("Docker's networks: in memory", () => {
  let docker: MemoryDocker;
  beforeEach(() => {
    docker = new MemoryDocker();
  });
  dockerSuite(() => ({
    docker,
    connect: async (name, connected) => docker.connect(name, connected ? 1 : 0),
    foreign: async (name) => docker.foreign(name),
  }));
});
