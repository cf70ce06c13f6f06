/** What an order's events share their operation ids for: who comes first has the id, and whoever follows sees whose it is. */
export const orderScenarios: Record<string, string> = {
  'a cancellation before its order takes the id of the order, which then holds nothing': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    answer cancelled O1 id=order/placed/O1 body=cancellation | done
    reserve R1 S1/P1*2 order=O1 id=order/placed/O1 body=order | mismatch: answer-order
    answer placed O1 S1/P1*2 store=S1 id=order/placed/O1/cancelled | done
    answer placed O1 S1/P1*2 store=S1 id=order/placed/O1/cancelled | again: done
    answer cancelled O1 id=order/placed/O1 body=cancellation | again: done
    hold R1 | unknown
    S1/P1 | 5 on hand, 0 reserved, 0 safety, 5 available
    entries | 5
  `,
  'an order before its cancellation keeps its id': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*2 order=O1 id=order/placed/O1 body=order | reserved
    answer cancelled O1 id=order/placed/O1 body=cancellation | mismatch: reserve
    release R1 id=order/cancelled/O1 | released
    reserve R1 S1/P1*2 order=O1 id=order/placed/O1 body=order | again: reserved
    S1/P1 | 5 on hand, 0 reserved, 0 safety, 5 available
  `,
  'a cancellation is known for ever: after a restart, and after the operation window': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    answer cancelled O1 id=order/placed/O1 body=cancellation | done
    restart
    reserve R1 S1/P1*2 order=O1 id=order/placed/O1 body=order | mismatch: answer-order
    tick 61m
    store S2 | done
    reserve R1 S1/P1*2 order=O1 id=order/placed/O1 body=order | mismatch: answer-order
    answer cancelled O1 id=order/placed/O1 body=cancellation | again: done
    hold R1 | unknown
    S1/P1 | 5 on hand, 0 reserved, 0 safety, 5 available
    entries | 5
  `,
  'an order that was sold long ago is not reserved again, and what was sold stays as it was': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*2 order=O1 id=order/placed/O1 body=order | reserved
    confirm R1 order=O1 id=order/completed/O1 body=paid | confirmed
    reserve R2 S1/P1*1 order=O2 id=order/placed/O2 body=other ttl=60s | reserved
    tick 2m
    sweep | 1 expired
    tick 61m
    store S2 | done
    reserve R1 S1/P1*2 order=O1 id=order/placed/O1 body=order | again: reserved
    reserve R2 S1/P1*1 order=O2 id=order/placed/O2 body=other ttl=60s | again: reserved
    reserve R1 S1/P1*1 order=O1 id=order/placed/O1 body=changed | mismatch: reserve
    hold R1 | confirmed for O1: S1/P1 2 held 2 confirmed 0 released
    hold R2 | expired for O2: S1/P1 1 held 0 confirmed 1 released
    S1/P1 | 3 on hand, 0 reserved, 0 safety, 3 available
    entries | 8
  `,
  'a completion of what nobody reserved is answered apart from its own id, which stays free': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    confirm R1 order=O1 id=order/completed/O1 body=paid | observed: unknown-reservation
    answer completed O1 S1/P1*2 reason=UNKNOWN_RESERVATION names=RES-1 id=order/completed/O1/unknown | done
    answer completed O1 S1/P1*2 reason=UNKNOWN_RESERVATION names=RES-1 id=order/completed/O1/unknown | again: done
    reserve R1 S1/P1*2 order=O1 id=order/placed/O1 | reserved
    confirm R1 order=O1 id=order/completed/O1 body=paid | confirmed
    S1/P1 | 3 on hand, 0 reserved, 0 safety, 3 available
  `,
};
