#!/bin/sh
for m in $(node -e "import('./sim/mutants.ts').then(m=>console.log(m.MUTANTS.map(x=>x.name).join('\n')))"); do
  echo "== $m: $(NET_ROUTED_MUTANT=$m timeout 120 node --import ./sim/mutate.ts sim/run.ts --seeds ${1:-30} 2>&1 | tail -2 | head -1)"
done
