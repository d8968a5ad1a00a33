/** The cell's own app: registry of cells, archive of the history, and whether the cell reaches a primary database. */
@NullMarked
package org.cellkeeper.cell.app;

import org.jspecify.annotations.NullMarked;
