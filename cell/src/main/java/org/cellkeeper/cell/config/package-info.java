/** A cell's configuration: file and environment become records, or a list of everything that is wrong with them. */
@NullMarked
package org.cellkeeper.cell.config;

import org.jspecify.annotations.NullMarked;
