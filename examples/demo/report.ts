import type { VerifyReport } from '../../server/src/application.ts';
import type { Chain } from './chain.ts';
import type { Tally } from './tally.ts';

const REASONS: Record<string, string> = { insufficient: 'not enough left' };

const count = (value: number) => value.toLocaleString('en');
const money = (cents: number) =>
  `$${(cents / 100).toLocaleString('en', { minimumFractionDigits: 2, maximumFractionDigits: 2 })}`;
const ms = (value: number) => `${value < 10 ? value.toFixed(1) : Math.round(value)} ms`;

/** One line that tells how it goes; it replaces itself on a terminal and is written once a second elsewhere. */
export class LiveLine {
  readonly #tally: Tally;
  readonly #startedAt = performance.now();
  readonly #timer: NodeJS.Timeout;
  #reservedBefore = 0;

  constructor(tally: Tally, everySecond: () => void) {
    this.#tally = tally;
    this.#timer = setInterval(() => {
      everySecond();
      this.#write();
    }, 1_000);
  }

  #write(): void {
    const { reserved, refusals, confirmed, released, expired } = this.#tally;
    const seconds = Math.round((performance.now() - this.#startedAt) / 1_000);
    const text =
      `${String(seconds).padStart(4)} s  ${count(reserved - this.#reservedBefore).padStart(6)} reservations/s` +
      `  confirmed ${count(confirmed)}  released ${count(released)}  expired ${count(expired)}` +
      `  refused ${count(refusals)}  p99 ${ms(this.#tally.takeP99())}`;
    this.#reservedBefore = reserved;
    process.stdout.write(process.stdout.isTTY ? `\r${text}\x1b[K` : `${text}\n`);
  }

  end(): void {
    clearInterval(this.#timer);
    if (process.stdout.isTTY) process.stdout.write('\n');
  }
}

/** The units that must be there, by what the tills and the lorries were told. */
export function unitsExpected(chain: Chain, tally: Tally): number {
  return chain.unitsAtFirst + tally.unitsDelivered - tally.unitsSold;
}

export function sums(chain: Chain, tally: Tally, unitsLeft: number): string {
  const expected = unitsExpected(chain, tally);
  const balance = unitsLeft === expected ? 'as it must be' : `but ${count(expected)} were expected`;
  const rows: [string, string, string][] = [
    ['reservations', count(tally.reserved), ''],
    [
      '  confirmed',
      count(tally.confirmed),
      tally.confirmedLate > 0 ? `${count(tally.confirmedLate)} of them late` : '',
    ],
    ['  released', count(tally.released), ''],
    [
      '  expired',
      count(tally.expired),
      tally.paidTooLate > 0 ? `${count(tally.paidTooLate)} of them came to pay too late` : '',
    ],
    ['refused', count(tally.refusals), ''],
    ...[...tally.refused].map(([status, number]): [string, string, string] => [
      `  ${REASONS[status] ?? status}`,
      count(number),
      '',
    ]),
    ...(tally.failed === 0 ? [] : [['not answered', count(tally.failed), ''] as [string, string, string]]),
    ['answer, recorded', ms(tally.latency.percentile(50) / 1_000), `p99 ${ms(tally.latency.percentile(99) / 1_000)}`],
    ['', '', ''],
    ['units at first', count(chain.unitsAtFirst), ''],
    ['  delivered', `+ ${count(tally.unitsDelivered)}`, ''],
    ['  sold', `− ${count(tally.unitsSold)}`, ''],
    ['units left', count(unitsLeft), balance],
    ['', '', ''],
    ...categories(tally),
  ];
  return rows.map(([name, value, note]) => `  ${name.padEnd(34)}${value.padStart(12)}   ${note}`.trimEnd()).join('\n');
}

function categories({ sales }: Tally): [string, string, string][] {
  const sorted = [...sales].sort(([, one], [, other]) => other.money - one.money);
  const total = sorted.reduce((sum, [, { money: part }]) => sum + part, 0);
  return [
    ['sold by category', money(total), ''],
    ...sorted.map(([name, sale]): [string, string, string] => [
      `  ${name}`,
      money(sale.money),
      `${count(sale.units)} units`,
    ]),
  ];
}

export function verdict(report: VerifyReport): string {
  const facts = `${count(report.entries)} entries, ${count(report.levels)} levels, ${count(report.openReservations)} open reservations`;
  if (report.ok) return `The ledger is sound: chain, projections and engine agree (${facts}).`;
  return [`The ledger is NOT sound (${facts}):`, ...report.findings.map((finding) => `  ${finding}`)].join('\n');
}
