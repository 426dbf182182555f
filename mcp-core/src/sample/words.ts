/** The words the sample shop's rows are made of, with the quotes, accents and scripts real data has. */

/** Code, name, region, VAT rate in percent, and the language most customers there read. */
export const countries: readonly (readonly [string, string, string, string, string])[] = [
  ["AT", "Austria", "europe", "20.00", "de"],
  ["AU", "Australia", "asia_pacific", "10.00", "en"],
  ["BR", "Brazil", "americas", "17.00", "pt"],
  ["CA", "Canada", "americas", "5.00", "en"],
  ["CH", "Switzerland", "europe", "8.10", "fr"],
  ["DE", "Germany", "europe", "19.00", "de"],
  ["ES", "Spain", "europe", "21.00", "es"],
  ["FR", "France", "europe", "20.00", "fr"],
  ["GB", "United Kingdom", "europe", "20.00", "en"],
  ["JP", "Japan", "asia_pacific", "10.00", "ja"],
  ["NL", "Netherlands", "europe", "21.00", "nl"],
  ["PL", "Poland", "europe", "23.00", "pl"],
  ["SE", "Sweden", "europe", "25.00", "sv"],
  ["US", "United States", "americas", "0.00", "en"],
];

/** Top-level categories and what each sells. */
export const categories: readonly (readonly [string, readonly string[]])[] = [
  ["Kitchen", ["Kettles", "Knives", "Pans", "Storage Jars"]],
  ["Garden", ["Planters", "Hand Tools", "Lanterns", "Hoses"]],
  ["Office", ["Notebooks", "Pens", "Desk Lamps", "Chairs"]],
  ["Outdoor", ["Tents", "Backpacks", "Bottles", "Stoves"]],
  ["Toys", ["Puzzles", "Building Sets", "Plush", "Board Games"]],
  ["Home", ["Blankets", "Candles", "Mirrors", "Rugs"]],
];

export const adjectives: readonly string[] = [
  "Alpine",
  "Basic",
  "Café",
  "Deluxe",
  "Everyday",
  "Folding",
  "Grand",
  "Heritage",
  "Junior",
  "Light",
  "Midnight",
  "Nordic",
  "Pocket",
  "Quiet",
  "Rustic",
  "Studio",
  "Travel",
  "Ultra",
];

export const materials: readonly string[] = ["oak", "steel", "linen", "glass", "recycled plastic", "ceramic", "wool"];
export const colours: readonly string[] = ["black", "white", "forest green", "rouge", "sand", "navy", "copper"];
export const tags: readonly string[] = ["gift", "new", "sale", "eco", "limited", "bestseller"];
export const warehouses: readonly string[] = ["north", "south"];
export const carriers: readonly string[] = ["BluePost", "Kurier24", "ParcelOne", "Swiftly"];

export const firstNames: readonly string[] = [
  "Amélie",
  "Björn",
  "Chiara",
  "Dmitri",
  "Elif",
  "Fatou",
  "Grace",
  "Hiroshi",
  "Inés",
  "João",
  "Katarzyna",
  "Liam",
  "Maja",
  "Noah",
  "Olivia",
  "Priya",
  "Quentin",
  "Rosa",
  "Søren",
  "Tomás",
  "Ursula",
  "Vikram",
  "Wei",
  "Yuki",
  "Zoë",
];

export const lastNames: readonly string[] = [
  "Andersson",
  "Brown",
  "Castillo",
  "Dubois",
  "Eriksen",
  "Fischer",
  "García",
  "Haddad",
  "Ivanova",
  "Jansen",
  "Kowalska",
  "López",
  "Müller",
  "Nakamura",
  "O'Brien",
  "Petrov",
  "Quispe",
  "Rossi",
  "Świątek",
  "Tanaka",
  "van der Berg",
  "Weiß",
  "Yamada",
  "Zhang",
];

export const streets: readonly string[] = [
  "Harbour Street",
  "Rue de l'Église",
  "Bahnhofstraße",
  "Calle Mayor",
  "Station Road",
  "Maple Avenue",
  "ul. Długa",
  "Via Roma",
];

export const cities: readonly string[] = [
  "Aachen",
  "Bristol",
  "Córdoba",
  "Denver",
  "Évry",
  "Freiburg",
  "Gdańsk",
  "Hobart",
  "Kyoto",
  "Malmö",
  "Porto Alegre",
  "Utrecht",
];

export const reviewTitles: readonly string[] = [
  "Exactly as described",
  "Would buy again",
  "Not what I expected",
  "Great value",
  "Arrived late, works well",
  "Broke after a week",
  "My children love it",
  "Good, but the colour differs",
];

export const orderNotes: readonly string[] = [
  "Please leave with the neighbour.",
  "It's a gift, no invoice in the parcel.",
  'Ring twice; the bell is "broken".',
  "Deliver after 18:00",
  "Second order this week, please combine.\nThank you!",
];
