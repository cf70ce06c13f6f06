/** Holds: made, confirmed, given back, prolonged, expired. */
export const reservationScenarios: Record<string, string> = {
  'reserve: from one location and from several, all lines or none': `
    store S1 | done
    store S2 | done
    product P1 | done
    product P2 | done
    receive S1/P1*5 S2/P1*5 S1/P2*1 HQ/P1*3 | done
    reserve R1 S1/P1*2 | reserved
    S1/P1 | 5 on hand, 2 reserved, 0 safety, 3 available
    reserve R2 S1/P1*3 S2/P1*1 HQ/P1*3 | reserved
    S1/P1 | 5 on hand, 5 reserved, 0 safety, 0 available
    S2/P1 | 5 on hand, 1 reserved, 0 safety, 4 available
    totals P1 | 13 on hand, 9 reserved
    reserve R3 S2/P1*4 S1/P2*2 | insufficient S1/P2 wants 2 of 1, HQ 1
    reserve R4 S1/P2*1 S2/P1*5 S1/P1*1 | insufficient S2/P1 wants 5 of 4, HQ 4; S1/P1 wants 1 of 0, HQ 4
    S2/P1 | 5 on hand, 1 reserved, 0 safety, 4 available
    S1/P2 | 1 on hand, 0 reserved, 0 safety, 1 available
  `,
  'reserve: equal lines are summed before the check': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*3 S1/P1*3 | insufficient S1/P1 wants 6 of 5, HQ 5
    reserve R2 S1/P1*2 S1/P1*3 | reserved
    S1/P1 | 5 on hand, 5 reserved, 0 safety, 0 available
    hold R2 | active: S1/P1 5 held 0 confirmed 0 released
  `,
  'reserve: refusals': `
    store S1 | done
    product P1 | done
    reserve R1 S9/P9*1 | observed: unknown-store S9
    reserve R2 S1/P9*1 | observed: unknown-product P9
    reserve R3 S1/P1*1 | insufficient S1/P1 wants 1 of 0, HQ 0
  `,
  'confirm: the whole; once more is the same without effect': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*2 | reserved
    confirm R1 order=O1 id=c1 | confirmed
    S1/P1 | 3 on hand, 0 reserved, 0 safety, 3 available
    hold R1 | confirmed for O1: S1/P1 2 held 2 confirmed 0 released
    confirm R1 order=O1 id=c1 | again: confirmed
    confirm R1 order=O1 id=c2 | confirmed
    confirm R1 order=O1 S1/P1*2 | confirmed
    confirm R1 order=O1 id=none | observed: confirmed
    confirm R1 order=O2 | reservation-confirmed
    confirm R1 order=O1 S1/P1*1 | reservation-confirmed
    confirm R1 order=O1 S1/P1*3 | reservation-confirmed
    S1/P1 | 3 on hand, 0 reserved, 0 safety, 3 available
  `,
  'confirm: a part, the rest is given back': `
    store S1 | done
    product P1 | done
    product P2 | done
    receive S1/P1*5 S1/P2*5 | done
    reserve R1 S1/P1*4 S1/P2*2 | reserved
    confirm R1 order=O1 S1/P1*3 | confirmed
    S1/P1 | 2 on hand, 0 reserved, 0 safety, 2 available
    S1/P2 | 5 on hand, 0 reserved, 0 safety, 5 available
    hold R1 | confirmed for O1: S1/P1 4 held 3 confirmed 1 released; S1/P2 2 held 0 confirmed 2 released
    confirm R1 order=O1 S1/P1*3 | confirmed
    confirm R1 order=O1 | reservation-confirmed
    release R1 | reservation-confirmed
  `,
  'confirm: a part, the rest is kept, then the rest': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*4 | reserved
    confirm R1 order=O1 S1/P1*1 keep | confirmed
    S1/P1 | 4 on hand, 3 reserved, 0 safety, 1 available
    hold R1 | partly_confirmed for O1: S1/P1 4 held 1 confirmed 0 released
    confirm R1 order=O2 | reservation-confirmed
    confirm R1 order=O1 S1/P1*4 keep | quantity-exceeds S1/P1 4 of 3
    confirm R1 order=O1 S1/P1*2 keep | confirmed
    confirm R1 order=O1 | confirmed
    S1/P1 | 1 on hand, 0 reserved, 0 safety, 1 available
    hold R1 | confirmed for O1: S1/P1 4 held 4 confirmed 0 released
    confirm R1 order=O1 | confirmed
  `,
  'confirm: kept without a part keeps nothing, for all is confirmed': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*4 | reserved
    confirm R1 order=O1 keep | confirmed
    hold R1 | confirmed for O1: S1/P1 4 held 4 confirmed 0 released
  `,
  'confirm: refusals in order of precedence': `
    store S1 | done
    store S2 | done
    product P1 | done
    product P2 | done
    receive S1/P1*5 | done
    confirm R0 | observed: unknown-reservation
    confirm nonsense | observed: unknown-reservation
    confirm rsv_1_0123456789abcdef01234567 | observed: unknown-reservation
    reserve R1 S1/P1*2 | reserved
    confirm R1 scope=S2 | observed: unknown-reservation
    confirm R1 S1/P1*3 S1/P2*1 | quantity-exceeds S1/P1 3 of 2; S1/P2 1 of 0
    adjust S1/P1*-4 | done
    confirm R1 S1/P1*3 | quantity-exceeds S1/P1 3 of 2
    confirm R1 S1/P1*2 | insufficient S1/P1 wants 2 of 1, HQ -1
    release R1 scope=S1 | released
    confirm R1 S1/P1*3 | reservation-released
  `,
  'confirm: too late takes the stock again and says so': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*2 ttl=60s | reserved
    tick 60s
    confirm R1 order=O1 | confirmed late
    S1/P1 | 3 on hand, 0 reserved, 0 safety, 3 available
    hold R1 | confirmed for O1: S1/P1 2 held 2 confirmed 0 released
    sweep | 0 expired
    confirm R1 order=O1 | confirmed
    confirm R1 order=O2 | reservation-confirmed
  `,
  'confirm: too late and only a part': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*3 ttl=60s | reserved
    tick 61s
    sweep | 1 expired
    confirm R1 order=O1 S1/P1*4 | quantity-exceeds S1/P1 4 of 3
    confirm R1 order=O1 S1/P1*2 keep | confirmed late
    S1/P1 | 3 on hand, 0 reserved, 0 safety, 3 available
    hold R1 | confirmed for O1: S1/P1 3 held 2 confirmed 1 released
  `,
  'confirm: too late and sold out, all or none': `
    store S1 | done
    product P1 | done
    product P2 | done
    receive S1/P1*2 S1/P2*5 | done
    reserve R1 S1/P1*2 S1/P2*5 ttl=60s | reserved
    tick 61s
    sweep | 1 expired
    reserve R2 S1/P1*1 | reserved
    confirm R1 order=O1 | reservation-expired
    S1/P2 | 5 on hand, 0 reserved, 0 safety, 5 available
    hold R1 | expired: S1/P1 2 held 0 confirmed 2 released; S1/P2 5 held 0 confirmed 5 released
    release R2 | released
    confirm R1 order=O1 id=again | confirmed late
    S1/P1 | 0 on hand, 0 reserved, 0 safety, 0 available
  `,
  'confirm: too late respects safety stock, in time does not need it': `
    store S1 | done
    product P1 | done
    receive S1/P1*4 | done
    reserve R1 S1/P1*2 ttl=60s | reserved
    reserve R2 S1/P1*2 ttl=600s | reserved
    product P1 safety=3 | done
    tick 61s
    confirm R1 | reservation-expired
    confirm R2 | confirmed
    S1/P1 | 2 on hand, 0 reserved, 3 safety, -1 available
  `,
  'confirm: one moment before its end it is in time': `
    store S1 | done
    product P1 | done
    receive S1/P1*4 | done
    reserve R1 S1/P1*2 ttl=60s | reserved
    tick 59999ms
    sweep | 0 expired
    confirm R1 | confirmed
  `,
  'release: gives back; again is the same without effect': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    release R0 | observed: unknown-reservation
    reserve R1 S1/P1*2 | reserved
    release R1 scope=S2 | observed: unknown-reservation
    release R1 id=none | released
    S1/P1 | 5 on hand, 0 reserved, 0 safety, 5 available
    hold R1 | released: S1/P1 2 held 0 confirmed 2 released
    release R1 id=none | observed: released
    release R1 id=r1 | released
    release R1 id=r1 | again: released
    S1/P1 | 5 on hand, 0 reserved, 0 safety, 5 available
  `,
  'release: of what was confirmed is refused; of a rest that was kept gives the rest back': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*2 | reserved
    confirm R1 order=O1 | confirmed
    release R1 id=none | observed: reservation-confirmed
    release R1 | reservation-confirmed
    reserve R2 S1/P1*3 | reserved
    confirm R2 order=O2 S1/P1*1 keep | confirmed
    release R2 | released
    S1/P1 | 2 on hand, 0 reserved, 0 safety, 2 available
    hold R2 | confirmed for O2: S1/P1 3 held 1 confirmed 2 released
  `,
  'release: of a hold that expired is a success without effect': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*2 ttl=1s | reserved
    tick 2s
    sweep | 1 expired
    release R1 | released
    hold R1 | expired: S1/P1 2 held 0 confirmed 2 released
    S1/P1 | 5 on hand, 0 reserved, 0 safety, 5 available
  `,
  'extend: the new end counts from now': `
    store S1 | done
    product P1 | done
    receive S1/P1*5 | done
    reserve R1 S1/P1*2 ttl=60s | reserved
    tick 59s
    extend R1 ttl=60s | extended
    tick 59s
    sweep | 0 expired
    extend R1 ttl=10s | extended
    tick 10s
    sweep | 1 expired
    S1/P1 | 5 on hand, 0 reserved, 0 safety, 5 available
  `,
  'extend: refusals': `
    store S1 | done
    product P1 | done
    receive S1/P1*9 | done
    extend R0 | observed: unknown-reservation
    reserve R1 S1/P1*1 | reserved
    extend R1 scope=S2 | observed: unknown-reservation
    release R1 | released
    extend R1 | reservation-released
    reserve R2 S1/P1*1 | reserved
    confirm R2 | confirmed
    extend R2 | reservation-confirmed
    reserve R3 S1/P1*1 ttl=1s | reserved
    tick 1s
    extend R3 | reservation-expired
    extend R3 id=none | observed: reservation-expired
    S1/P1 | 8 on hand, 0 reserved, 0 safety, 8 available
  `,
  'expire: many holds at once, over several levels, and a kept rest': `
    store S1 | done
    store S2 | done
    product P1 | done
    receive S1/P1*9 S2/P1*9 | done
    reserve R1 S1/P1*2 ttl=60s | reserved
    reserve R2 S1/P1*3 S2/P1*1 ttl=60s | reserved
    reserve R3 S2/P1*4 ttl=61s | reserved
    confirm R2 order=O2 S1/P1*1 keep | confirmed
    tick 60s
    sweep | 2 expired
    S1/P1 | 8 on hand, 0 reserved, 0 safety, 8 available
    S2/P1 | 9 on hand, 4 reserved, 0 safety, 5 available
    hold R2 | confirmed for O2: S1/P1 3 held 1 confirmed 2 released; S2/P1 1 held 0 confirmed 1 released
    hold R1 | expired: S1/P1 2 held 0 confirmed 2 released
    tick 1s
    sweep | 1 expired
    totals P1 | 17 on hand, 0 reserved
  `,
  'holds live through a restart and expire after it': `
    store S1 | done
    product P1 | done
    receive S1/P1*9 | done
    reserve R1 S1/P1*2 ttl=60s | reserved
    reserve R2 S1/P1*3 ttl=600s | reserved
    restart
    S1/P1 | 9 on hand, 5 reserved, 0 safety, 4 available
    tick 60s
    sweep | 1 expired
    confirm R2 | confirmed
    S1/P1 | 6 on hand, 0 reserved, 0 safety, 6 available
  `,
  'a hold that the engine has forgotten is found in the history': `
    store S1 | done
    product P1 | done
    receive S1/P1*9 | done
    reserve R1 S1/P1*2 ttl=60s | reserved
    reserve R2 S1/P1*2 ttl=60s | reserved
    tick 60s
    sweep | 2 expired
    release R3 | observed: unknown-reservation
    tick 61m
    store S2 | done
    confirm R1 order=O1 id=late | confirmed late
    confirm R1 order=O1 | confirmed
    confirm R2 order=O2 S1/P1*3 | quantity-exceeds S1/P1 3 of 2
    release R2 | released
    extend R2 | reservation-expired
    S1/P1 | 7 on hand, 0 reserved, 0 safety, 7 available
    tick 61m
    confirm R1 order=O1 id=late | again: confirmed late
    S1/P1 | 7 on hand, 0 reserved, 0 safety, 7 available
  `,
};
