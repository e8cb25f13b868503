import { MemoryFabric } from '../../src/speaker/fabric.ts';
import { MemorySpeaker } from '../../src/speaker/memory.ts';
import { LINK, speakerSuite } from './speaker.suite.ts';

speakerSuite(
  'speaker: memory',
  async () => {
    const fabric = new MemoryFabric();
    const numbers = Object.values(LINK);
    const end = (host: number) =>
      numbers.flatMap((link) => [`10.99.${link}.${host}`, `fd99:${link}::${host}`]);
    const isZ = (address: string) => address.includes(`99.${LINK.z}.`);
    const x = new MemorySpeaker(fabric, end(1));
    const y = new MemorySpeaker(
      fabric,
      end(2).filter((address) => !isZ(address)),
    );
    const z = new MemorySpeaker(fabric, end(2).filter(isZ));
    fabric.wire(x, `l${LINK.bare}`, y, `l${LINK.bare}`);
    return {
      x,
      y,
      z,
      crash: async () => {
        x.crash();
        setImmediate(() => x.recover());
      },
      greet: async () => {},
      close: async () => {
        for (const speaker of [x, y, z]) await speaker.close();
      },
    };
  },
  2_000,
);
