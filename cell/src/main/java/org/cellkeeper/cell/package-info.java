/** The entry point, and the one place where the parts of a cell are put together. */
@NullMarked
package org.cellkeeper.cell;

import org.jspecify.annotations.NullMarked;
