/** The appliance API on Javalin: routes, authentication and problems; no policy. */
@NullMarked
package org.cellkeeper.cell.http;

import org.jspecify.annotations.NullMarked;
