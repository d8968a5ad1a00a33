/** The operator's commands, over the client of the api module. */
@NullMarked
package org.cellkeeper.cell.cli;

import org.jspecify.annotations.NullMarked;
