/** The one form in which model records travel between cells and lie on disk: JSON. */
@NullMarked
package org.cellkeeper.cell.wire;

import org.jspecify.annotations.NullMarked;
