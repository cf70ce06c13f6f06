const UNITS_MS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 } as const;
const DURATION = /^([1-9]\d{0,5})([smhd])$/;
const TTL_MS_MAX = 3_650 * UNITS_MS.d;

/** `8h`, `30m`, `45s`, `7d` → milliseconds; null when it is not one, or beyond ten years. */
export function parseDuration(text: string): number | null {
  const match = DURATION.exec(text);
  if (match === null) return null;
  const ms = Number(match[1]) * UNITS_MS[match[2] as keyof typeof UNITS_MS];
  return ms <= TTL_MS_MAX ? ms : null;
}
