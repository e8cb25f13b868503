import { existsSync } from 'node:fs';
import { openWorld } from './speaker.gobgp.ts';
import { speakerSuite } from './speaker.suite.ts';

/** Another gobgpd than the installed one, such as version 4, by its path. */
const program = process.env.NET_ROUTED_GOBGPD;

if (program !== undefined) {
  describe(`speaker: ${program}`, () => {
    before('the program that was asked for', () => {
      if (!existsSync(program)) throw new Error(`NET_ROUTED_GOBGPD is ${program}, which does not exist`);
    });
    speakerSuite('speaker: GoBGP by NET_ROUTED_GOBGPD', () => openWorld(program), 25_000);
  });
}
