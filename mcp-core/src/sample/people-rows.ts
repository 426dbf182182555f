/** Who buys in the sample shop: customers, their addresses, and the dirt real customer data has. */
import { createDraw } from "./random.js";
import type { SampleRow } from "./schema.js";
import { dateText, sampleDays, secondsPerDay, timestampText } from "./text.js";
import { cities, countries, firstNames, lastNames, streets } from "./words.js";

const customerCount = 3_600;
/** The last this many customers are people who registered a second time. */
const duplicateCount = 12;
const newsletterTopics: readonly string[] = ["garden", "kitchen", "offers", "outdoor"];

/** A customer as sales need one. */
export interface Customer {
  readonly id: number;
  readonly country: string;
  readonly shippingAddressId: number;
  /** Seconds after the sample's start. */
  readonly registeredAt: number;
}

/** Customers and addresses as rows, and the buyers in order of registration. */
export interface PeopleRows {
  readonly customers: readonly SampleRow[];
  readonly addresses: readonly SampleRow[];
  readonly buyers: readonly Customer[];
}

/** The people, always the same; what is dirty about them stands in {@link "./dirty.js"}. */
export function createPeopleRows(): PeopleRows {
  const draw = createDraw(2_002);
  const registrations = Array.from({ length: customerCount }, () =>
    draw.between(-180 * secondsPerDay, (sampleDays - 31) * secondsPerDay),
  ).sort((left, right) => left - right);

  const customers: SampleRow[] = [];
  const addresses: SampleRow[] = [];
  const buyers: Customer[] = [];
  for (const [index, registeredAt] of registrations.entries()) {
    const id = index + 1;
    const original =
      id > customerCount - duplicateCount ? customers[(id - customerCount + duplicateCount) * 50] : undefined;
    const first = draw.pick(firstNames);
    const last = draw.pick(lastNames);
    const [country, , , , language] = draw.pick(countries);
    customers.push([
      id,
      original?.[1] ?? emailOf(first, last, id),
      original?.[2] ?? fullNameOf(first, last, id),
      country,
      draw.pick(["bronze", "bronze", "bronze", "silver", "silver", "gold"]),
      draw.chance(0.2) ? null : dateText(-draw.between(19 * 365, 75 * 365)),
      draw.chance(0.4),
      JSON.stringify({
        language,
        newsletter: newsletterTopics.filter(() => draw.chance(0.3)),
        favourite_category: draw.chance(0.5) ? draw.between(1, 30) : null,
      }),
      timestampText(registeredAt),
    ]);
    const shippingAddressId = addresses.length + 1;
    addAddress(id, "shipping", country);
    if (draw.chance(0.2)) addAddress(id, "billing", country);
    buyers.push({ id, country, shippingAddressId, registeredAt });
  }

  function addAddress(customerId: number, kind: string, country: string): void {
    const street = `${draw.pick(streets)} ${draw.between(1, 220)}`;
    const postalCode = String(draw.between(100, 99_999)).padStart(5, "0");
    addresses.push([addresses.length + 1, customerId, kind, street, draw.pick(cities), postalCode, country]);
  }

  return { customers, addresses, buyers };
}

/** Customers of the old shop (every 97th) have no e-mail; every 211th typed it in capitals. */
function emailOf(first: string, last: string, id: number): string | null {
  if (id % 97 === 0) return null;
  const plain = `${first}.${last}`.normalize("NFD").replace(/[^A-Za-z.]/g, "");
  const email = `${plain}${id}@mail.example`;
  return id % 211 === 0 ? email.toUpperCase() : email.toLowerCase();
}

/** Every 150th name came with spaces behind it. */
const fullNameOf = (first: string, last: string, id: number): string =>
  `${first} ${last}${id % 150 === 0 ? "   " : ""}`;
