/** Goods that come, go and move without a reservation. */
export const movementScenarios: Record<string, string> = {
  'receive: goods arrive in the pool or at the location that an item names': `
    store S1 | done
    product P1 | done
    product P2 | done
    HQ/P1 | 0 on hand, 0 reserved, 0 safety, 0 available
    receive HQ/P1*10 S1/P2*3 | done
    HQ/P1 | 10 on hand, 0 reserved, 0 safety, 10 available
    S1/P2 | 3 on hand, 0 reserved, 0 safety, 3 available
    S1/P1 | 0 on hand, 0 reserved, 0 safety, 0 available
    totals P1 | 10 on hand, 0 reserved
  `,
  'receive: refusals, the first in order of precedence wins': `
    S1/P1 | unknown
    store S1 | done
    receive S9/P9*1 version=7 | observed: unknown-store S9
    receive S1/P1*1 version=7 | observed: unknown-product P1
    product P1 | done
    receive S1/P1*1 version=7 | observed: stale-version 0
    receive S1/P1*1 version=0 | done
    receive S1/P1*1000000000000 version=0 | observed: stale-version 1
    receive S1/P1*1000000000000 version=1 | level-limit S1/P1
    receive S1/P1*999999999999 version=1 | done
    S1/P1 with=version | 1000000000000 on hand, 0 reserved, 0 safety, 1000000000000 available, version 2, low null
  `,
  'receive: all lines or none': `
    store S1 | done
    product P1 | done
    product P2 | done
    receive S1/P1*1000000000000 | done
    receive S1/P2*5 S1/P1*1 | level-limit S1/P1
    S1/P2 | 0 on hand, 0 reserved, 0 safety, 0 available
  `,
  'distribute: HQ stock does not change': `
    store S1 | done
    product P1 safety=2 | done
    receive HQ/P1*10 | done
    totals P1 | 10 on hand, 0 reserved
    distribute S1 P1*6 | done
    HQ/P1 | 4 on hand, 0 reserved, 2 safety, 2 available
    S1/P1 | 6 on hand, 0 reserved, 2 safety, 4 available
    totals P1 | 10 on hand, 0 reserved
    distribute S1 P1*3 | insufficient HQ/P1 wants 3 of 2, HQ 6
    distribute S1 P1*2 | done
    HQ/P1 | 2 on hand, 0 reserved, 2 safety, 0 available
    totals P1 | 10 on hand, 0 reserved
  `,
  'distribute: refusals': `
    store S1 | done
    product P1 | done
    receive HQ/P1*5 | done
    distribute S9 P9*1 | observed: unknown-store S9
    distribute S1 P9*1 | observed: unknown-product P9
    distribute S1 P1*6 | insufficient HQ/P1 wants 6 of 5, HQ 5
    receive S1/P1*1000000000000 | done
    distribute S1 P1*6 | insufficient HQ/P1 wants 6 of 5, HQ 1000000000005
    distribute S1 P1*5 | level-limit S1/P1
    HQ/P1 | 5 on hand, 0 reserved, 0 safety, 5 available
  `,
  'distribute: what one line lacks stops all lines, and every lacking line is named': `
    store S1 | done
    product P1 | done
    product P2 | done
    product P3 | done
    receive HQ/P1*5 HQ/P2*1 | done
    distribute S1 P1*5 P2*2 P3*1 | insufficient HQ/P2 wants 2 of 1, HQ 1; HQ/P3 wants 1 of 0, HQ 0
    S1/P1 | 0 on hand, 0 reserved, 0 safety, 0 available
    HQ/P1 | 5 on hand, 0 reserved, 0 safety, 5 available
  `,
  'transfer: between stores and back to the pool; units that are held stay': `
    store S1 | done
    store S2 | done
    product P1 | done
    receive S1/P1*10 | done
    reserve R1 S1/P1*4 | reserved
    transfer S1 S2 P1*7 | insufficient S1/P1 wants 7 of 6, HQ 6
    transfer S1 S2 P1*6 | done
    S1/P1 | 4 on hand, 4 reserved, 0 safety, 0 available
    S2/P1 | 6 on hand, 0 reserved, 0 safety, 6 available
    totals P1 | 10 on hand, 4 reserved
    transfer S2 HQ P1*1 | done
    HQ/P1 | 1 on hand, 0 reserved, 0 safety, 1 available
    totals P1 | 10 on hand, 4 reserved
  `,
  'transfer: refusals': `
    store S1 | done
    store S2 | done
    product P1 | done
    transfer S8 S9 P9*1 | observed: unknown-store S8
    transfer S1 S9 P9*1 | observed: unknown-store S9
    transfer S1 S2 P9*1 | observed: unknown-product P9
    transfer S1 S2 P1*1 | insufficient S1/P1 wants 1 of 0, HQ 0
    receive S1/P1*1 S2/P1*1000000000000 | done
    transfer S1 S2 P1*1 | level-limit S2/P1
  `,
  'issue: takes what is available, never what is held or kept as safety stock': `
    store S1 | done
    product P1 safety=1 | done
    receive S1/P1*10 | done
    reserve R1 S1/P1*4 | reserved
    issue S1/P1*6 | insufficient S1/P1 wants 6 of 5, HQ 5
    issue S1/P1*5 | done
    S1/P1 | 5 on hand, 4 reserved, 1 safety, 0 available
  `,
  'issue: refusals in order of precedence': `
    store S1 | done
    product P1 | done
    issue S9/P9*1 version=1 | observed: unknown-store S9
    issue S1/P9*1 version=1 | observed: unknown-product P9
    issue S1/P1*1 version=1 | observed: stale-version 0
    issue S1/P1*1 version=0 | insufficient S1/P1 wants 1 of 0, HQ 0
  `,
  'adjust: states a fact, which may leave a shortfall, but never less than nothing on hand': `
    store S1 | done
    product P1 | done
    product P2 | done
    receive S1/P1*10 | done
    reserve R1 S1/P1*8 | reserved
    adjust S1/P1*-5 S1/P2*2 | done
    S1/P1 | 5 on hand, 8 reserved, 0 safety, -3 available
    S1/P2 | 2 on hand, 0 reserved, 0 safety, 2 available
    totals P1 | 5 on hand, 8 reserved
    adjust S1/P2*1 S1/P1*-6 | insufficient S1/P1 wants 6 of 5, HQ -3
    S1/P2 | 2 on hand, 0 reserved, 0 safety, 2 available
    adjust S1/P1*-5 | done
    S1/P1 | 0 on hand, 8 reserved, 0 safety, -8 available
    adjust S1/P1*9 | done
    S1/P1 | 9 on hand, 8 reserved, 0 safety, 1 available
  `,
  'adjust: refusals in order of precedence': `
    store S1 | done
    product P1 | done
    adjust S9/P9*-1 version=1 | observed: unknown-store S9
    adjust S1/P9*-1 version=1 | observed: unknown-product P9
    adjust S1/P1*-1 version=1 | observed: stale-version 0
    adjust S1/P1*-1 version=0 | insufficient S1/P1 wants 1 of 0, HQ 0
    adjust S1/P1*1000000000001 version=0 | level-limit S1/P1
  `,
  'a shortfall: nothing more is taken there, confirmations succeed while stock lasts': `
    store S1 | done
    store S2 | done
    product P1 | done
    receive S1/P1*4 | done
    reserve R1 S1/P1*2 | reserved
    reserve R2 S1/P1*2 | reserved
    adjust S1/P1*-1 | done
    S1/P1 | 3 on hand, 4 reserved, 0 safety, -1 available
    reserve R3 S1/P1*1 | insufficient S1/P1 wants 1 of -1, HQ -1
    issue S1/P1*1 | insufficient S1/P1 wants 1 of -1, HQ -1
    transfer S1 S2 P1*1 | insufficient S1/P1 wants 1 of -1, HQ -1
    confirm R1 order=O1 | confirmed
    confirm R2 order=O2 | insufficient S1/P1 wants 2 of 1, HQ -1
    confirm R2 order=O2 S1/P1*1 | confirmed
    S1/P1 | 0 on hand, 0 reserved, 0 safety, 0 available
    hold R2 | confirmed for O2: S1/P1 2 held 1 confirmed 1 released
  `,
  'configure: safety stock of a product, and a level of its own': `
    store S1 low=9 | done
    store S2 | done
    product P1 safety=3 low=5 | done
    receive S1/P1*10 S2/P1*10 | done
    S1/P1 with=version | 10 on hand, 0 reserved, 3 safety, 7 available, version 1, low 5
    level S1/P1 safety=6 low=2 | done
    S1/P1 with=version | 10 on hand, 0 reserved, 6 safety, 4 available, version 2, low 2
    reserve R1 S1/P1*5 | insufficient S1/P1 wants 5 of 4, HQ 11
    product P1 safety=8 | done
    S1/P1 with=version | 10 on hand, 0 reserved, 6 safety, 4 available, version 2, low 2
    S2/P1 with=version | 10 on hand, 0 reserved, 8 safety, 2 available, version 1, low null
    reserve R2 S2/P1*3 | insufficient S2/P1 wants 3 of 2, HQ 6
    level S1/P1 | done
    S1/P1 with=version | 10 on hand, 0 reserved, 8 safety, 2 available, version 3, low 9
    reserve R3 S1/P1*3 | insufficient S1/P1 wants 3 of 2, HQ 4
    product P1 | done
    reserve R4 S1/P1*10 | reserved
  `,
  'configure: a higher safety stock makes a shortfall of what is held already': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*4 | reserved
    product P1 safety=3 | done
    S1/P1 | 5 on hand, 4 reserved, 3 safety, -2 available
    reserve R2 S1/P1*1 | insufficient S1/P1 wants 1 of -2, HQ -2
    confirm R1 | confirmed
    S1/P1 | 1 on hand, 0 reserved, 3 safety, -2 available
  `,
  'configure: a level that was never stocked can be configured first': `
    store S1 | done
    product P1 safety=1 | done
    level S9/P1 safety=1 version=4 | observed: unknown-store S9
    level S1/P9 safety=1 version=4 | observed: unknown-product P9
    level S1/P1 safety=4 version=4 | observed: stale-version 0
    level S1/P1 safety=4 version=0 | done
    S1/P1 with=version | 0 on hand, 0 reserved, 4 safety, -4 available, version 1, low null
    receive S1/P1*5 | done
    issue S1/P1*2 | insufficient S1/P1 wants 2 of 1, HQ 1
  `,
  'undo: the inverse of a decrease or of a reservation that was decided twice': `
    store S1 | done
    product P1 | done
    receive S1/P1*10 | done
    issue S1/P1*3 | done
    undo S1/P1*3 seq=4 | done
    S1/P1 | 10 on hand, 0 reserved, 0 safety, 10 available
    reserve R1 S1/P1*4 | reserved
    undo R1 seq=6 | done
    S1/P1 | 10 on hand, 0 reserved, 0 safety, 10 available
    hold R1 | released: S1/P1 4 held 0 confirmed 4 released
    undo R1 seq=7 | done
    undo R2 seq=8 | done
    S1/P1 | 10 on hand, 0 reserved, 0 safety, 10 available
  `,
  'HQs share nothing': `
    store S1 | done
    product P1 | done
    receive S1/P1*10 id=same | done
    receive S1/P1*10 hq=other id=same | observed: unknown-store S1
    store S1 hq=other | done
    product P1 hq=other | done
    receive S1/P1*3 hq=other id=same | done
    S1/P1 | 10 on hand, 0 reserved, 0 safety, 10 available
    reserve R1 S1/P1*1 | reserved
    confirm R1 hq=other | observed: unknown-reservation
    release R1 hq=other | observed: unknown-reservation
    extend R1 hq=other | observed: unknown-reservation
    confirm R1 | confirmed
  `,
};
