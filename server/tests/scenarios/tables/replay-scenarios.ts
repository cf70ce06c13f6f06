/** One effect per operation id: replays, replays with another body, and what sticks to an id. */
export const replayScenarios: Record<string, string> = {
  'a success answers its id for ever, also when the state has moved on': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 id=a | done
    issue S1/P1*5 | done
    receive S1/P1*5 id=a | again: done
    S1/P1 | 0 on hand, 0 reserved, 0 safety, 0 available
    entries | 4
  `,
  'another body under the same id is refused, whatever it asks': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 id=a | done
    receive S1/P1*6 id=a | mismatch: receive
    issue S1/P1*1 id=a | mismatch: receive
    reserve R1 S1/P9*1 id=a | mismatch: receive
    S1/P1 | 5 on hand, 0 reserved, 0 safety, 5 available
    receive S1/P1*5 id=a | again: done
  `,
  'a business refusal sticks to its id': `
    store S1 | done
    product P1 | done
    reserve R1 S1/P1*1 id=r | insufficient S1/P1 wants 1 of 0, HQ 0
    receive S1/P1*5 | done
    reserve R1 S1/P1*1 id=r | again: insufficient S1/P1 wants 1 of 0, HQ 0
    reserve R2 S1/P1*1 id=r2 | reserved
    confirm R2 order=O1 | confirmed
    confirm R2 order=O9 id=c | reservation-confirmed
    confirm R2 order=O9 id=c | again: reservation-confirmed
    S1/P1 | 4 on hand, 0 reserved, 0 safety, 4 available
  `,
  'what is unknown or stale leaves the id free': `
    store S1 | done
    receive S1/P1*5 id=a | observed: unknown-product P1
    product P1 | done
    receive S1/P1*5 id=a version=7 body=same | observed: stale-version 0
    receive S1/P1*5 id=a version=0 body=same | done
    confirm R1 id=c | observed: unknown-reservation
    reserve R1 S1/P1*1 | reserved
    confirm R1 id=c | confirmed
    confirm R1 id=c | again: confirmed
  `,
  'a reserve, an extension, a release and a count replay their first answer': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*2 id=r | reserved
    extend R1 id=e | extended
    release R1 id=x | released
    reserve R1 S1/P1*2 id=r | again: reserved
    extend R1 id=e | again: extended
    release R1 id=x | again: released
    count S1/P1*4 id=k | counted S1/P1 4 by -1
    issue S1/P1*1 | done
    count S1/P1*4 id=k | again: counted S1/P1 4 by -1
    S1/P1 | 3 on hand, 0 reserved, 0 safety, 3 available
  `,
  'replays survive a restart and the operation window': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 id=a | done
    reserve R1 S1/P1*2 id=r ttl=60s | reserved
    confirm R1 S1/P1*1 keep id=c | confirmed
    restart
    receive S1/P1*5 id=a | again: done
    receive S1/P1*6 id=a | mismatch: receive
    confirm R1 S1/P1*1 keep id=c | again: confirmed
    tick 61m
    restart
    receive S1/P1*5 id=a | again: done
    receive S1/P1*6 id=a | mismatch: receive
    confirm R1 S1/P1*1 keep id=c | again: confirmed
    S1/P1 | 4 on hand, 1 reserved, 0 safety, 3 available
  `,
  'a late reserve that is decided twice answers as the first did; what it did is to be undone': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*2 id=r body=first | reserved
    release R1 | released
    tick 61m
    store S2 | done
    reserve R2 S1/P1*2 id=r body=first | again: reserved
    S1/P1 | 5 on hand, 2 reserved, 0 safety, 3 available
    reserve R3 S1/P1*2 id=r body=first | again: reserved
    undo R2 seq=7 | done
    S1/P1 | 5 on hand, 0 reserved, 0 safety, 5 available
    reserve R4 S1/P1*3 id=r body=second | mismatch: reserve
  `,
  'a late reserve with another body is a mismatch, and the first body still replays': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*2 id=r body=first | reserved
    release R1 | released
    tick 61m
    store S2 | done
    reserve R2 S1/P1*3 id=r body=second | mismatch: reserve
    reserve R3 S1/P1*2 id=r body=first | again: reserved
    reserve R4 S1/P1*3 id=r body=second | mismatch: reserve
  `,
  'a late decrease that is decided twice': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    issue S1/P1*2 id=i | done
    tick 61m
    store S2 | done
    issue S1/P1*2 id=i | again: done
    undo S1/P1*2 seq=6 | done
    S1/P1 | 3 on hand, 0 reserved, 0 safety, 3 available
  `,
  'an answer from before the window hides behind no refusal of today': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    issue S1/P1*2 id=i version=1 | done
    tick 61m
    store S2 | done
    issue S1/P1*2 id=i version=1 | again: done
    S1/P1 | 3 on hand, 0 reserved, 0 safety, 3 available
  `,
};
