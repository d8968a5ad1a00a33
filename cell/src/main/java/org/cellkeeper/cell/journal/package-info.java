/** The cell's own state file. */
@NullMarked
package org.cellkeeper.cell.journal;

import org.jspecify.annotations.NullMarked;
