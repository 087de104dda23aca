// A dozen products, short and messy ones among them.

export const EXAMPLES = [
  { name: "GoPro - Camera Mount Accessory Kit - Black", description: "Compatible with most GoPro cameras; includes a variety of camera mounting accessories" },
  { name: "hdmi cbl 6ft" },
  { name: "iphone 6s case rose gold" },
  { name: "AA batts 24pk" },
  { name: "keurig k-cups dark roast 24ct" },
  { name: "yamaha acoustic gitar beginer" },
  { name: "Whirlpool - 25.0 Cu. Ft. French Door Refrigerator", description: "Stainless steel, ice maker, LED lighting", manufacturer: "Whirlpool", price: "1799.99" },
  { name: "ink cart blk 950XL" },
  { name: "kids headphones blue volume limit" },
  { name: "dishwasher quiet 44 dba ss" },
  { name: "xbox one controler" },
  { name: "vacuum bags type q" },
];
