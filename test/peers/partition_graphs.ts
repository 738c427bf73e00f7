/** Real graphs that partitioners are measured on, with what gpmetis cuts. */

/** Cuts of gpmetis for k = 2, 4, 8, 16, 32, 64; 0: not measured. */
export const METIS_CUTS: Readonly<Record<string, readonly number[]>> = {
  "walshaw/add20.graph": [717, 1251, 1842, 2399, 2921, 3316],
  "walshaw/data.graph": [232, 445, 715, 1295, 2029, 3469],
  "walshaw/3elt.graph": [95, 208, 366, 629, 1048, 1655],
  "walshaw/uk.graph": [20, 51, 105, 168, 299, 477],
  "walshaw/add32.graph": [11, 34, 88, 145, 256, 540],
  "walshaw/whitaker3.graph": [135, 396, 691, 1181, 1773, 2695],
  "walshaw/crack.graph": [201, 387, 764, 1181, 1827, 2705],
  "walshaw/wing_nodal.graph": [1754, 3849, 6078, 8880, 12728, 17033],
  "walshaw/fe_4elt2.graph": [131, 357, 667, 1160, 1763, 2677],
  "walshaw/vibrobox.graph": [11704, 22186, 29271, 38656, 45259, 52710],
  "walshaw/bcsstk29.graph": [3060, 9491, 19544, 30232, 42673, 62082],
  "metis/4elt.graph": [142, 368, 636, 1034, 1737, 2739],
  "walshaw/cti.graph": [374, 982, 2135, 3252, 4752, 6529],
  "walshaw/cs4.graph": [416, 1098, 1751, 2466, 3439, 4601],
  "walshaw/fe_body.graph": [321, 643, 1163, 2153, 3219, 5522],
  "walshaw/t60k.graph": [95, 245, 502, 979, 1633, 2534],
  "walshaw/wing.graph": [940, 1934, 2928, 4563, 6658, 8843],
  "kahip/rgg_n_2_15_s0.graph": [253, 444, 1044, 1645, 2629, 3938],
  "edgelists/luxembourg_osm.mtx": [20, 0, 99, 0, 308, 455],
  "cora/cora.npz": [189, 0, 548, 0, 1008, 1629],
  "citeseer/citeseer.npz": [26, 0, 151, 0, 423, 617],
  "amazon_computers/amazon_computers.npz": [11785, 0, 56261, 0, 106906, 130467],
  "coauthor_cs/coauthor_cs.npz": [3538, 0, 12342, 0, 23338, 27854],
  "blogcatalog/blogcatalog.npz": [97285, 0, 227597, 0, 277514, 295967],
};
export const TABLE_KS = [2, 4, 8, 16, 32, 64];
