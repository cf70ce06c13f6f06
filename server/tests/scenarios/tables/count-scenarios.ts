/** Stock-takes: the difference to what was on hand when it was counted. */
export const countScenarios: Record<string, string> = {
  'count: against what is on hand now': `
    store S1 | done
    product P1 | done
    product P2 | done
    receive S1/P1*10 S1/P2*10 | done
    count S1/P1*7 S1/P2*11 | counted S1/P1 7 by -3; S1/P2 11 by 1
    S1/P1 | 7 on hand, 0 reserved, 0 safety, 7 available
    S1/P2 | 11 on hand, 0 reserved, 0 safety, 11 available
    count S1/P1*7 | counted S1/P1 7 by 0
    count S1/P1*0 | counted S1/P1 0 by -7
  `,
  'count: sales made after the counting are kept': `
    store S1 | done
    product P1 | done
    receive S1/P1*10 | done
    tick 60s
    issue S1/P1*3 | done
    tick 1s
    count S1/P1*9 at=-30s | counted S1/P1 9 by -1
    S1/P1 | 6 on hand, 0 reserved, 0 safety, 6 available
  `,
  'count: held units are on hand and count, those confirmed since do not': `
    store S1 | done
    product P1 | done
    receive S1/P1*10 | done
    reserve R1 S1/P1*4 ttl=600s | reserved
    tick 60s
    confirm R1 S1/P1*1 keep | confirmed
    tick 60s
    count S1/P1*10 at=-90s | counted S1/P1 10 by 0
    S1/P1 | 9 on hand, 3 reserved, 0 safety, 6 available
    count S1/P1*2 | counted S1/P1 2 by -7
    S1/P1 | 2 on hand, 3 reserved, 0 safety, -1 available
    confirm R1 | insufficient S1/P1 wants 3 of 2, HQ -1
    confirm R1 S1/P1*2 | confirmed
    S1/P1 | 0 on hand, 0 reserved, 0 safety, 0 available
  `,
  'count: less than nothing on hand is refused, all lines or none': `
    store S1 | done
    product P1 | done
    product P2 | done
    receive S1/P1*10 S1/P2*5 | done
    tick 60s
    issue S1/P1*8 | done
    tick 1s
    count S1/P2*4 S1/P1*7 at=-30s | insufficient S1/P1 wants 3 of 2, HQ 2
    S1/P2 | 5 on hand, 0 reserved, 0 safety, 5 available
    count S1/P2*4 S1/P1*8 at=-30s | counted S1/P2 4 by -1; S1/P1 8 by -2
    S1/P1 | 0 on hand, 0 reserved, 0 safety, 0 available
  `,
  'count: one that was taken before the last one is superseded': `
    store S1 | done
    product P1 | done
    receive S1/P1*10 | done
    tick 60s
    count S1/P1*9 at=-10s | counted S1/P1 9 by -1
    count S1/P1*5 at=-20s | count-superseded S1/P1
    count S1/P1*8 at=-10s | counted S1/P1 8 by -1
    count S1/P1*7 at=-5s | counted S1/P1 7 by -1
    S1/P1 | 7 on hand, 0 reserved, 0 safety, 7 available
  `,
  'count: a difference computed before another count is stale and must be computed again': `
    store S1 | done
    product P1 | done
    receive S1/P1*10 | done
    tick 60s
    count S1/P1*9 | counted S1/P1 9 by -1
    tick 60s
    count S1/P1*8 at=-1s then=10 based=none | observed: stale-count
    count S1/P1*8 at=-1s | counted S1/P1 8 by -1
    S1/P1 | 8 on hand, 0 reserved, 0 safety, 8 available
  `,
  'count: one taken in the future counts as taken now, so that later counts are not shut out': `
    store S1 | done
    product P1 | done
    receive S1/P1*10 | done
    count S1/P1*9 at=1h | counted S1/P1 9 by -1
    tick 1s
    count S1/P1*8 | counted S1/P1 8 by -1
  `,
  'count: refusals in order of precedence': `
    store S1 | done
    product P1 | done
    count S9/P9*1 version=1 | observed: unknown-store S9
    count S1/P9*1 version=1 | observed: unknown-product P9
    count S1/P1*1 version=1 | observed: stale-version 0
    count S1/P1*1000000000001 version=0 | level-limit S1/P1
    count S1/P1*1000000000000 version=0 | counted S1/P1 1000000000000 by 1000000000000
  `,
  'count: of a past that the engine learns again after a restart': `
    store S1 | done
    product P1 | done
    receive S1/P1*10 | done
    tick 60s
    count S1/P1*9 | counted S1/P1 9 by -1
    restart
    count S1/P1*8 at=-1s | count-superseded S1/P1
    tick 1s
    count S1/P1*8 at=-1s then=9 based=none | observed: stale-count
    count S1/P1*8 at=-1s | counted S1/P1 8 by -1
  `,
};
