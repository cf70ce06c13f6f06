/**
 * Every event that Holdfast publishes: its type and the schema of its data, from one source. Within a version a
 * schema only gains optional fields; a breaking change is a new version beside the old one. What it consumes is in
 * `consumed.ts`.
 */
import { type Static, Type } from 'typebox';

const Id = Type.String();
const Units = Type.Integer({ description: 'units' });
const Instant = Type.String({ format: 'date-time' });

const Line = Type.Object({ productId: Id, storeId: Id, quantity: Units });

const reservation = {
  hqId: Id,
  storeId: Id,
  reservationId: Type.Optional(Id),
  orderId: Type.Optional(Id),
  transactionId: Id,
  items: Type.Array(Line),
  expiresAt: Type.Optional(Instant),
};

const Reservation = Type.Object(reservation);

const ReservationRefusal = Type.Object({
  ...reservation,
  /** An order's event need not name one. */
  storeId: Type.Optional(Id),
  reason: Type.String(),
  lines: Type.Array(
    Type.Object({
      productId: Id,
      storeId: Id,
      requested: Units,
      available: Type.Optional(Units),
      hqAvailable: Type.Optional(Units),
      held: Type.Optional(Units),
    }),
  ),
});

const Change = Type.Object({ previous: Units, current: Units });

const LevelChange = Type.Object({
  hqId: Id,
  storeId: Id,
  productId: Id,
  stockLevels: Type.Object({ hqStock: Change, storeStock: Change }),
  changeAmount: Units,
  changeReason: Type.String(),
  referenceId: Type.String(),
});

const Crossing = Type.Object({ hqId: Id, storeId: Id, productId: Id, available: Units, threshold: Units });

const Difference = Type.Object({
  eventId: Type.String(),
  productId: Id,
  dbStock: Units,
  redisStock: Units,
  discrepancy: Units,
  action: Type.String(),
  severity: Type.String(),
  detectedAt: Type.Integer({ description: 'epoch milliseconds' }),
});

/** Of the ledger's entries. */
export const catalogue = {
  'stock.reserved': { version: 1, key: 'reservationId', when: 'a reservation was made', data: Reservation },
  'stock.reservation.failed': {
    version: 1,
    key: 'orderId, else transactionId',
    when: 'a reservation could not be made',
    data: ReservationRefusal,
  },
  'stock.confirmed': {
    version: 1,
    key: 'reservationId',
    when: 'a reservation was turned into a sale',
    data: Reservation,
  },
  'stock.confirm.failed': {
    version: 1,
    key: 'reservationId, else orderId',
    when: 'a reservation could not be turned into a sale',
    data: ReservationRefusal,
  },
  'stock.released': {
    version: 1,
    key: 'reservationId',
    when: 'a reservation was given back on request',
    data: Reservation,
  },
  'stock.reservation.expired': {
    version: 1,
    key: 'reservationId',
    when: 'a reservation was given back because its time was over',
    data: Reservation,
  },
  'stock.updated': {
    version: 1,
    key: 'hqId:storeId:productId',
    when: 'on-hand stock changed; one per level and command',
    data: LevelChange,
  },
  'stock.low': {
    version: 1,
    key: 'hqId:storeId:productId',
    when: 'available fell to its threshold or below it; once per crossing',
    data: Crossing,
  },
  'stock.shortfall': {
    version: 1,
    key: 'hqId:storeId:productId',
    when: 'a count, an adjustment or a higher safety stock pushed available below zero',
    data: Crossing,
  },
} as const;

/** With that of the reconciliation. */
export const published = {
  ...catalogue,
  'stock.sync.alert': {
    version: 1,
    key: 'productId',
    when: 'the reconciliation found a difference; in Avro, or in JSON',
    data: Difference,
  },
} as const;

export type EventType = keyof typeof catalogue;
export type EventData<T extends EventType> = Static<(typeof catalogue)[T]['data']>;
