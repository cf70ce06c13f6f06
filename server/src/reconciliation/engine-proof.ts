/**
 * Holds an engine against the entries while it serves: it may be ahead of them, never behind, and whatever it says of
 * a level at some version must be what the entries say of that version.
 */
import { setTimeout as delay } from 'node:timers/promises';
import { encodeHold } from '../stock/entry-codec.ts';
import type { LevelView, StockEngine } from '../stock/stock-engine.ts';
import type { Findings } from './findings.ts';
import type { ClaimedHold, ClaimedLevel, LedgerProof, ProvenProduct } from './ledger-proof.ts';

const LEVELS_AT_ONCE = 2_000;
const HOLDS_AT_ONCE = 2_000;
/** What the entries do not bear out may not be recorded or projected yet: it is looked at again. */
const ROUNDS = 20;
const ROUND_MS = 100;

export class EngineProof {
  readonly #engine: StockEngine;
  readonly #proof: LedgerProof;
  readonly #findings: Findings;

  constructor(engine: StockEngine, proof: LedgerProof, findings: Findings) {
    this.#engine = engine;
    this.#proof = proof;
    this.#findings = findings;
  }

  async prove(): Promise<void> {
    for (;;) {
      const products = await this.#proof.nextProducts(LEVELS_AT_ONCE);
      if (products.length === 0) break;
      for (const product of products) await this.#proveProduct(product);
    }
    for (;;) {
      const ids = await this.#proof.nextOpenHolds(HOLDS_AT_ONCE);
      if (ids.length === 0) break;
      await this.#proveHolds(ids);
    }
    await this.#proveCounts();
  }

  async #proveProduct(product: ProvenProduct): Promise<void> {
    const { hqId, productId } = product;
    const keys = product.levels.map(({ storeId }) => ({ storeId, productId }));
    // Asked in one turn: a memory engine answers both from one moment.
    const [levels, totals] = await Promise.all([this.#engine.levels(hqId, keys), this.#engine.totals(hqId, productId)]);
    const sums = sumOf(levels);
    if (totals === null || totals.onHand !== sums.onHand || totals.reserved !== sums.reserved) {
      this.#findings.add(
        `the engine's totals of ${hqId}/${productId} are ${JSON.stringify(totals)}; its levels sum up to ${JSON.stringify(sums)}`,
      );
    }
    await this.#proveLevels(
      product.levels.map(({ storeId, version }, index) => ({
        hqId,
        storeId,
        productId,
        view: levels[index] ?? null,
        floor: version,
      })),
    );
  }

  async #proveLevels(claims: ClaimedLevel[]): Promise<void> {
    let refuted = await this.#proof.refuteLevels(claims);
    for (let round = 1; refuted.length > 0 && round < ROUNDS; round += 1) {
      await delay(ROUND_MS);
      const again: ClaimedLevel[] = [];
      for (const { claim } of refuted) {
        const [view] = await this.#engine.levels(claim.hqId, [claim]);
        again.push({ ...claim, view: view ?? null });
      }
      refuted = await this.#proof.refuteLevels(again);
    }
    for (const { claim, proven } of refuted) {
      const { hqId, storeId, productId, view } = claim;
      this.#findings.add(
        `the engine says of level ${hqId}/${storeId}/${productId}: ${JSON.stringify(view)}; by the entries ${proven}`,
      );
    }
  }

  async #proveHolds(ids: readonly string[]): Promise<void> {
    let refuted = await this.#proof.refuteHolds(await this.#claimHolds(ids));
    for (let round = 1; refuted.length > 0 && round < ROUNDS; round += 1) {
      await delay(ROUND_MS);
      refuted = await this.#proof.refuteHolds(await this.#claimHolds(refuted.map(({ claim }) => claim.reservationId)));
    }
    for (const { claim, proven } of refuted) {
      this.#findings.add(
        `the engine says of reservation ${claim.reservationId}: ${claim.text ?? 'it is not known'}; by the entries ${proven}`,
      );
    }
  }

  async #claimHolds(ids: readonly string[]): Promise<ClaimedHold[]> {
    const claims: ClaimedHold[] = [];
    for (const reservationId of ids) {
      const found = await this.#engine.hold(reservationId);
      claims.push({ reservationId, text: found === null ? null : encodeHold(found.hold) });
    }
    return claims;
  }

  /** Levels and holds that no entry made: only while nothing moves can numbers be compared. */
  async #proveCounts(): Promise<void> {
    for (let round = 0; round < ROUNDS; round += 1) {
      const before = await this.#engine.counts();
      await this.#proof.refuteLevels([]);
      const { levels, openReservations } = await this.#proof.report();
      const after = await this.#engine.counts();
      if (before.levels === levels && before.openHolds === openReservations) return;
      const still =
        before.unrecorded + after.unrecorded === 0 &&
        before.levels === after.levels &&
        before.openHolds === after.openHolds &&
        before.rememberedOperations === after.rememberedOperations;
      if (still && round === ROUNDS - 1) {
        this.#findings.add(
          `the engine has ${after.levels} levels and ${after.openHolds} open reservations; the entries make ${levels} and ${openReservations}`,
        );
      }
      await delay(ROUND_MS);
    }
  }
}

function sumOf(levels: readonly (LevelView | null)[]): { onHand: number; reserved: number } {
  const sums = { onHand: 0, reserved: 0 };
  for (const level of levels) {
    sums.onHand += level?.onHand ?? 0;
    sums.reserved += level?.reserved ?? 0;
  }
  return sums;
}
