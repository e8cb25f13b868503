import { openWorld } from './speaker.gobgp.ts';
import { speakerSuite } from './speaker.suite.ts';

speakerSuite('speaker: GoBGP as installed', () => openWorld('gobgpd'), 25_000);
