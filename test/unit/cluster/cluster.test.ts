import assert from 'node:assert/strict';
import { Hosts } from './world.ts';

describe('a cluster', () => {
  it('drops what a member owned that is gone, and again if the disk refuses it', () => {
    const hosts = new Hosts(3);
    const gone = hosts.nodes.splice(2, 1)[0]!;
    const { store, id } = hosts.at(0);
    const owned = () => store.all('boot').filter(({ key }) => key === `boot/${gone.id}`).length;
    hosts.at(1).store.merge([gone.store.range(gone.id, 0)]);
    store.merge([gone.store.range(gone.id, 0)]);
    hosts.run();
    assert.equal(owned(), 1);
    const value = { seal: gone.store.known(gone.id), how: 'left', by: id, heir: id, last: 3 };
    store.write([{ key: `gone/${gone.id}`, value }], () => {
      store.disk.failure = new Error('no space left on device');
    });
    hosts.run();
    assert.equal(owned(), 1);
    hosts.pass(5000);
    assert.equal(owned(), 0);
  });

  it('takes nothing over that a member owned which is gone, and counts it as known', () => {
    const hosts = new Hosts(3);
    const gone = hosts.nodes.splice(2, 1)[0]!;
    const { store, id } = hosts.at(0);
    gone.store.write([{ key: `host/${gone.id}`, value: 'its last word' }], () => {});
    hosts.run();
    const value = { seal: gone.store.known(gone.id), how: 'left', by: id, heir: id, last: 3 };
    store.write([{ key: `gone/${gone.id}`, value }], () => {});
    hosts.run();
    store.merge([gone.store.range(gone.id, store.known(gone.id))]);
    hosts.run();
    assert.equal(store.version(`host/${gone.id}`), undefined);
    assert.equal(store.known(gone.id), value.seal);
  });
});
