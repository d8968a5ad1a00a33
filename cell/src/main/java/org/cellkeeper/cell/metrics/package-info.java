/** The cell as numbers, for Prometheus. */
@NullMarked
package org.cellkeeper.cell.metrics;

import org.jspecify.annotations.NullMarked;
