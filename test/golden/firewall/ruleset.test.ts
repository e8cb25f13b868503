import assert from 'node:assert/strict';
import { execFileSync } from 'node:child_process';
import { readFileSync, writeFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { changeOf } from '../../../src/firewall/change.ts';
import { baseTable, replaceTable } from '../../../src/firewall/ruleset.ts';
import { compact } from '../../../src/firewall/script.ts';
import { State } from '../../../src/firewall/state.ts';
import { endpoint, put } from '../../contract/firewall.suite.ts';

/** Files of this folder; UPDATE_GOLDEN=1 writes them anew. */
const RENDERED = {
  'table.nft': baseTable,
  'endpoint.nft': () =>
    `${compact(changeOf(new State(true), endpoint('nr0123456789', 2).map(put)).steps).join('\n')}\n`,
};

describe('rendered text of nft', () => {
  for (const [name, render] of Object.entries(RENDERED)) {
    it(`is as in ${name}`, () => {
      const file = fileURLToPath(new URL(name, import.meta.url));
      if (process.env.UPDATE_GOLDEN) writeFileSync(file, render());
      assert.equal(render(), readFileSync(file, 'utf8'));
    });
  }

  it('is understood by the real program, over what is there and over nothing', () => {
    const load = (text: string) => `nft -f - <<'END'\n${text}END\n`;
    const both = load(replaceTable()) + load(RENDERED['endpoint.nft']());
    const script = `${both}${both}nft list table inet net_routed`;
    const listed = execFileSync('unshare', ['-n', 'sh', '-euc', script], { encoding: 'utf8' });
    assert.equal(listed.match(/"nr0123456789"/g)?.length, 11);
  });
});
