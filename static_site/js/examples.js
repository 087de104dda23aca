// Twelve example products, some short and messy.

export const EXAMPLES = [
  { name: "GoPro - Camera Mount Accessory Kit - Black" },
  { name: "hdmi cbl 6ft" },
  { name: "iphone 6s case rose gold" },
  { name: "bluetooth speaker waterproof" },
  { name: "keurig k-cups dark roast 24ct" },
  { name: "HP 950XL black ink cartridge" },
  { name: "Whirlpool - 25.0 Cu. Ft. French Door Refrigerator", description: "Stainless steel, ice maker, LED lighting", manufacturer: "Whirlpool", price: "1799.99" },
  { name: "AA batts 24pk" },
  { name: "coffee maker 12 cup programmable" },
  { name: "iPad Air 2 screen protector" },
  { name: "Canon - EF 50mm f/1.8 STM Lens" },
  { name: "yamaha acoustic gitar beginer" },
];
